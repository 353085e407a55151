import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod/mini";
import { namesIn, readJsonOrNull, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { webSpec } from "./spec.ts";

/**
 * The local record of a web changeling. Only `pulumi up` writes it; its program, the CLI and the forwarding server read
 * it.
 */
export const webRecord = z.object({
  version: z.literal(1),
  /** The changeling's. */
  name: z.string(),
  /** mngr's id of the agent: `agent-` and 32 hex digits. Random at first, and kept through renames and removals. */
  agentId: z.string().check(z.regex(/^agent-[0-9a-f]{32}$/)),
  /** mngr's name of the agent. */
  agentName: z.string(),
  provider: z.enum(["local", "docker", "modal"]),
  /** The mngr profile that the agent runs in; undefined for the user's own. */
  mngrProfile: z.optional(z.string()),
  /** Absolute path of its repo, or the name of its volume. */
  repo: z.string(),
  /** Absolute path of its data, or the name of its volume. */
  data: z.string(),
  /** The mngr host dir that sees the agent from here; undefined for the profile's. */
  mngrHostDir: z.optional(z.string()),
  /** Its location on Modal; undefined for other providers. */
  modal: z.optional(z.object({ stack: z.string(), environment: z.string() })),
  /** The name of its machine; undefined if it has none. */
  host: z.optional(z.string()),
  /** mngr's address of a remote agent: `ID@HOST_ID.PROVIDER`. */
  hostAddress: z.optional(z.string()),
  /** The spec that runs now and that a failed update rolls back to; undefined if it never came up. */
  applied: z.optional(webSpec),
  /** The digest of the secrets that it was started with. */
  secrets: z.optional(z.string()),
  /** An unfinished update: the agent's branch before it and after its merge. Commits, 40 hex digits. */
  merged: z.optional(z.object({ before: z.string(), after: z.string() })),
  /** True if it was removed but its repo and data were kept. */
  removed: z.optional(z.literal(true)),
});

export type WebRecord = z.infer<typeof webRecord>;

export function recordPath(paths: InstallationPaths, name: string): string {
  return join(paths.web, `${name}.json`);
}

/**
 * @returns undefined if there is none
 * @throws if the file is not a record
 */
export function readRecord(paths: InstallationPaths, name: string): WebRecord | undefined {
  const path = recordPath(paths, name);
  const content = readJsonOrNull(path);
  if (content === undefined) return undefined;
  const parsed = webRecord.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Error(`${path} is not a record of a web changeling; remove it, then: ${upCommand()}`);
}

/** Ignores the record of an agent with another provider. */
export function recordOn(
  provider: WebRecord["provider"],
  paths: InstallationPaths,
  name: string,
): WebRecord | undefined {
  const record = readRecord(paths, name);
  return record?.provider === provider ? record : undefined;
}

/** The records of a provider's agents on this machine. */
export function recordsHere(provider: WebRecord["provider"], paths: InstallationPaths) {
  return {
    read: async (name: string) => recordOn(provider, paths, name),
    write: async (record: WebRecord) => writeRecord(paths, record),
    async remove(name: string) {
      if (recordOn(provider, paths, name) !== undefined) removeRecord(paths, name);
    },
  };
}

/** All readable records, including removed changelings, sorted by name. */
export function readRecords(paths: InstallationPaths): WebRecord[] {
  return recordNames(paths).flatMap((name) => webRecord.safeParse(readJsonOrNull(recordPath(paths, name))).data ?? []);
}

export function writeRecord(paths: InstallationPaths, record: WebRecord): void {
  writePrivateFile(recordPath(paths, record.name), `${JSON.stringify(record, null, 2)}\n`);
}

/** Succeeds if it is already gone. */
export function removeRecord(paths: InstallationPaths, name: string): void {
  rmSync(recordPath(paths, name), { force: true });
}

export function removedText({ name, repo }: WebRecord): string {
  return `${name} was removed; its repo is kept in ${repo}, and is used again if you declare ${name} again`;
}

/** Whether this name is unused here, so that the record of a renamed changeling can take it. */
export function isFree(record: WebRecord | undefined): boolean {
  return record === undefined || record.removed === true;
}

export function newAgentId(): string {
  return `agent-${randomBytes(16).toString("hex")}`;
}

function recordNames(paths: InstallationPaths): string[] {
  const files = namesIn(paths.web).filter((file) => /^[a-z][a-z0-9-]*\.json$/.test(file));
  return files.map((file) => basename(file, ".json")).sort();
}
