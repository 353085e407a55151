import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod/mini";
import { isMissing, readJsonOrNull, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { webSpec } from "./spec.ts";

/** What stands of a web changeling here. Written by `pulumi up` alone; read by its program, the CLI and the forwarding server. */
export const webRecord = z.object({
  version: z.literal(1),
  /** The changeling's. */
  name: z.string(),
  /** `agent-` and 32 hex digits: mngr's id of the agent. Random at first; it stays through renames and removals. */
  agentId: z.string().check(z.regex(/^agent-[0-9a-f]{32}$/)),
  /** mngr's name of the agent. */
  agentName: z.string(),
  provider: z.enum(["local", "docker", "modal"]),
  /** The mngr profile that puts the agent aside; undefined: the person's own. */
  mngrProfile: z.optional(z.string()),
  /** Absolute path of its repo, or the name of the volume that it stands on. */
  repo: z.string(),
  /** Absolute path of its data, or the volume's name. */
  data: z.string(),
  /** mngr's host dir that the agent is seen with from here; undefined: the profile's. */
  mngrHostDir: z.optional(z.string()),
  /** Where on Modal it stands; undefined for another provider. */
  modal: z.optional(z.object({ stack: z.string(), environment: z.string() })),
  /** The name of its machine; undefined: it has none. */
  host: z.optional(z.string()),
  /** mngr's address of an agent elsewhere: `ID@HOST_ID.PROVIDER`. */
  hostAddress: z.optional(z.string()),
  /** What runs now, and what an update that fails goes back to; undefined: it never came up. */
  applied: z.optional(webSpec),
  /** The digest of the secrets that it was started with. */
  secrets: z.optional(z.string()),
  /** An update that has not ended: where the agent's branch was before it, and after its merge. Commits, 40 hex digits. */
  merged: z.optional(z.object({ before: z.string(), after: z.string() })),
  /** True: it was removed, its repo and data were kept. */
  removed: z.optional(z.literal(true)),
});

export type WebRecord = z.infer<typeof webRecord>;

export function recordPath(paths: InstallationPaths, name: string): string {
  return join(paths.web, `${name}.json`);
}

/** @returns undefined when there is none @throws when the file is not a record */
export function readRecord(paths: InstallationPaths, name: string): WebRecord | undefined {
  const path = recordPath(paths, name);
  const content = readJsonOrNull(path);
  if (content === undefined) return undefined;
  const parsed = webRecord.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Error(`${path} is not a record of a web changeling; remove it, then: ${upCommand()}`);
}

/** Those that can be read, removed ones too, in the order of their names. */
export function readRecords(paths: InstallationPaths): WebRecord[] {
  return recordNames(paths).flatMap((name) => webRecord.safeParse(readJsonOrNull(recordPath(paths, name))).data ?? []);
}

export function writeRecord(paths: InstallationPaths, record: WebRecord): void {
  writePrivateFile(recordPath(paths, record.name), `${JSON.stringify(record, null, 2)}\n`);
}

/** Succeeds when it is already gone. */
export function removeRecord(paths: InstallationPaths, name: string): void {
  rmSync(recordPath(paths, name), { force: true });
}

/** Whether a changeling of its name has nothing here yet, so that a former name's record becomes its own. */
export function isFree(record: WebRecord | undefined): boolean {
  return record === undefined || record.removed === true;
}

export function newAgentId(): string {
  return `agent-${randomBytes(16).toString("hex")}`;
}

function recordNames(paths: InstallationPaths): string[] {
  try {
    const files = readdirSync(paths.web).filter((file) => /^[a-z][a-z0-9-]*\.json$/.test(file));
    return files.map((file) => basename(file, ".json")).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
