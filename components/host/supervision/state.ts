import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { isAlive } from "../../lib/process.ts";
import { readJson, writePrivateFile } from "../files.ts";
import { isLocked, takeLock } from "../lock.ts";
import type { Daemon } from "./daemon.ts";

/** What a running daemon records about itself, once, when it starts. */
const stateFile = z.object({
  pid: z.number(),
  startedAt: z.string(),
  programVersion: z.string(),
  /** The files that its supervisor needs to restart it: the Node binary and the program, absolute paths. */
  starts: z.array(z.string()),
});

export interface DaemonState {
  /** The daemon of this installation is running now. */
  readonly alive: boolean;
  /** Undefined if none is alive. */
  readonly pid: number | undefined;
  /** ISO 8601, UTC. */
  readonly startedAt: string | undefined;
  readonly programVersion: string | undefined;
  /** It runs the program that is on disk now, and can be restarted: its files are still in place. */
  readonly current: boolean;
  /** The missing file without which it can't be restarted: a checkout was removed or moved. */
  readonly missing: string | undefined;
}

/** What is needed to observe a daemon. */
export type DaemonRef = Pick<Daemon, "folder" | "stateFile" | "programVersion">;

/** How soon a daemon retries to write its state, in milliseconds. */
const retryMs = 2000;

/** For observers: starts no process and changes nothing. */
export function daemonState(daemon: DaemonRef): DaemonState {
  const state = isLocked(lockPath(daemon)) ? readState(daemon) : undefined;
  const missing = state?.starts.find((path) => !existsSync(path));
  return {
    alive: state !== undefined,
    pid: state?.pid,
    startedAt: state?.startedAt,
    programVersion: state?.programVersion,
    current: state?.programVersion === daemon.programVersion && missing === undefined,
    missing,
  };
}

/** For a daemon that is starting. @returns false if another one of its installation is already running */
export function becomeDaemon(daemon: DaemonRef, now: Date): boolean {
  if (!takeLock(lockPath(daemon))) return false;
  const { programVersion } = daemon;
  // Its folder stays in place unless the home folder is moved.
  const starts = [process.execPath, process.argv[1] ?? "", daemon.folder];
  const state = { pid: process.pid, startedAt: now.toISOString(), programVersion, starts };
  recordState(daemon.stateFile, `${JSON.stringify(state)}\n`);
  return true;
}

/** A daemon that can't write its state works anyway, and retries until it can. */
function recordState(path: string, text: string): void {
  try {
    // The predecessor's pid may belong to another process by now.
    rmSync(path, { force: true });
    writePrivateFile(path, text);
  } catch {
    setTimeout(() => recordState(path, text), retryMs).unref();
  }
}

/** Why a running daemon must be restarted; undefined if it need not be. */
export function outdatedInWords({ alive, current, missing }: DaemonState): string | undefined {
  if (!alive || current) return undefined;
  return missing === undefined ? "runs an older program" : `runs a program that is gone from ${missing}`;
}

function readState(daemon: DaemonRef): z.infer<typeof stateFile> | undefined {
  try {
    const state = stateFile.safeParse(readJson(daemon.stateFile)).data;
    // Between taking the lock and writing its own state, the file still contains the predecessor's.
    return state !== undefined && isAlive(state.pid) ? state : undefined;
  } catch {
    // The file is written atomically, so anything else in it does not come from a daemon.
    return undefined;
  }
}

function lockPath({ folder }: DaemonRef): string {
  return join(folder, "lock");
}
