import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { codeOf, ensureFolder, namesIn, readJsonOrNull, writePrivateFile } from "../../host/files.ts";
import { isAlive } from "../../lib/process.ts";
import { localParts } from "../image/tools.ts";

/**
 * Folders of the local provider, below the installation's folder for sandboxes. A sandbox's programs can write to `files`
 * and to its volumes, so this process never opens, lists or follows anything in there: see `confinement.ts`.
 */
export interface LocalPaths {
  /** `<id>/record.json`, `<id>/files/{workspace,root,tmp}`, `<id>/running/`: one sandbox. */
  readonly sandboxes: string;
  /** `<id>/files/…`, as in a sandbox. */
  readonly snapshots: string;
  /** `<snapshot id>/files/…`, a copy for the next sandbox; see `spares.ts`. */
  readonly spares: string;
  /** `<name>/`: the files of a volume. */
  readonly volumes: string;
  /** `<image id>/{app,etc}`. */
  readonly images: string;
}

/** @param folder of the installation's sandboxes; see `installationPaths` */
export function localPaths(folder: string): LocalPaths {
  return {
    sandboxes: join(folder, "live"),
    snapshots: join(folder, "snapshots"),
    spares: join(folder, "spares"),
    volumes: join(folder, "volumes"),
    images: join(folder, "images"),
  };
}

/** The writable folders of a sandbox. */
export const ownFolders = ["workspace", "root", "tmp"] as const;

const sandboxRecord = z.object({
  id: z.string(),
  labels: z.record(z.string(), z.string()),
  createdAt: z.string(),
  image: z.string(),
  isolation: z.enum(["sandbox", "none"]),
  /** Volume names by path. */
  volumes: z.record(z.string(), z.string()),
  allowDomains: z.optional(z.array(z.string())),
  memoryGb: z.optional(z.number()),
  cpu: z.optional(z.number()),
  /** Parts of the tools that it needs. */
  parts: z.array(z.enum(localParts)),
});
export type SandboxRecord = z.output<typeof sandboxRecord>;

/** @returns undefined if there is no such sandbox */
export function readRecord({ sandboxes }: LocalPaths, id: string): SandboxRecord | undefined {
  if (!isName(id)) return undefined;
  const { success, data } = z.safeParse(sandboxRecord, readJsonOrNull(join(sandboxes, id, "record.json")));
  return success && data.id === id ? data : undefined;
}

export function listRecords(paths: LocalPaths): SandboxRecord[] {
  return namesIn(paths.sandboxes).flatMap((id) => readRecord(paths, id) ?? []);
}

/**
 * Creates a folder atomically: fills it under another name, then renames it.
 *
 * @throws if there already is such a folder, with the code EEXIST or ENOTEMPTY
 */
export async function createWhole(
  parent: string,
  name: string,
  fill: (folder: string) => Promise<void> | void,
  remove: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = join(parent, temporaryName());
  ensureFolder(temporary);
  try {
    await fill(temporary);
    renameSync(temporary, join(parent, name));
  } catch (error) {
    await remove(temporary);
    throw error;
  }
}

/** Writes the record of a sandbox that is being created in `folder`. */
export function writeRecord(folder: string, record: SandboxRecord): void {
  writePrivateFile(join(folder, "record.json"), JSON.stringify(record));
}

/** The name of a folder that this process is creating or removing. No sandbox has such a name. */
export function temporaryName(): string {
  return `.${process.pid}.${randomUUID()}`;
}

/** Folders that a process was creating or removing when it died. */
export function abandoned(parent: string): string[] {
  return namesIn(parent)
    .filter((name) => name.startsWith(".") && !isAlive(Number(name.split(".")[1])))
    .map((name) => join(parent, name));
}

/** @returns whether it was created */
export function makeFolderOnce(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Whether a text is the name of a sandbox, snapshot or volume. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(text);
}
