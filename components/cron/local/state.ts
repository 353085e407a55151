import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { readJson, writePrivateFile } from "../../files.ts";
import type { InstallationPaths } from "../../installation-paths.ts";
import { isAlive } from "../../supervision/process.ts";
import { isLocked } from "./lock.ts";

/** What a running scheduler says of itself; written once, when it starts. */
const stateFile = z.object({
  pid: z.number(),
  startedAt: z.string(),
  programVersion: z.string(),
  /** What its supervisor starts again after a crash: the Node binary and the program, absolute paths. */
  starts: z.array(z.string()),
});

export interface SchedulerState {
  /** A scheduler of this installation is running now. */
  readonly alive: boolean;
  /** Undefined when none is alive. */
  readonly pid: number | undefined;
  /** ISO 8601, UTC. */
  readonly startedAt: string | undefined;
  readonly programVersion: string | undefined;
  /** It runs the same program as is here now, and can be started again: its files are still where they were. */
  readonly current: boolean;
}

/** For observers: starts no process, changes nothing. */
export function schedulerState(paths: InstallationPaths): SchedulerState {
  const state = isLocked(paths) ? readState(paths) : undefined;
  return {
    alive: state !== undefined,
    pid: state?.pid,
    startedAt: state?.startedAt,
    programVersion: state?.programVersion,
    current: state?.programVersion === programVersion() && state.starts.every((path) => existsSync(path)),
  };
}

/** For the scheduler, when it holds the lock. */
export function writeState(paths: InstallationPaths, now: Date): void {
  const starts = [process.execPath, process.argv[1] ?? ""];
  const state = { pid: process.pid, startedAt: now.toISOString(), programVersion: programVersion(), starts };
  writePrivateFile(statePath(paths), `${JSON.stringify(state)}\n`);
}

function readState(paths: InstallationPaths): z.infer<typeof stateFile> | undefined {
  try {
    const state = stateFile.safeParse(readJson(statePath(paths))).data;
    // Between taking the lock and writing its own, a scheduler's predecessor still stands there.
    return state !== undefined && isAlive(state.pid) ? state : undefined;
  } catch {
    // Half a file can't be (it is written whole); what else stands there is not a scheduler's word.
    return undefined;
  }
}

function statePath(paths: InstallationPaths): string {
  return join(paths.scheduler, "scheduler.json");
}

let known: string | undefined;

/**
 * Fingerprint of the scheduler's own source files: an older one must be restarted. Node's version is left out, or two
 * people's Nodes, or one's two, would each find the other's outdated.
 * @returns 16 hexadecimal digits
 */
export function programVersion(): string {
  if (known !== undefined) return known;
  const local = dirname(fileURLToPath(import.meta.url));
  const components = join(local, "..", "..");
  const hash = createHash("sha256");
  // Its own folder, those that it imports from, and what it shares with those who check schedules beforehand.
  const folders = [local, ...["cron/runs", "mngr", "supervision"].map((folder) => join(components, folder))];
  const shared = ["fleet/cron-options", "files", "installation-paths", "installed-file", "installed-secrets"];
  const files = [...shared, "canonical-json", "source/git", "source/credentials"].map((file) =>
    join(components, file + extname(import.meta.url)),
  );
  for (const file of [...folders.flatMap(programFiles), ...files]) hash.update(readFileSync(file));
  known = hash.digest("hex").slice(0, 16);
  return known;
}

function programFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|js|sh)$/.test(file) && !file.endsWith(".d.ts"))
    .sort()
    .map((file) => join(folder, file));
}
