import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { isAlive } from "../../lib/process.ts";
import { readJson, writePrivateFile } from "../files.ts";
import { isLocked, takeLock } from "../lock.ts";
import type { Daemon } from "./daemon.ts";

/** What a running daemon says of itself; written once, when it starts. */
const stateFile = z.object({
  pid: z.number(),
  startedAt: z.string(),
  programVersion: z.string(),
  /** What its supervisor starts again after a crash: the Node binary and the program, absolute paths. */
  starts: z.array(z.string()),
});

export interface DaemonState {
  /** The daemon of this installation is running now. */
  readonly alive: boolean;
  /** Undefined when none is alive. */
  readonly pid: number | undefined;
  /** ISO 8601, UTC. */
  readonly startedAt: string | undefined;
  readonly programVersion: string | undefined;
  /** It runs the same program as is here now, and can be started again: its files are still where they were. */
  readonly current: boolean;
  /** What it could not be started again from, since it is gone: a checkout was removed or moved. */
  readonly missing: string | undefined;
}

/** What there is to know of a daemon in order to look at it. */
export type DaemonPlace = Pick<Daemon, "folder" | "stateFile" | "programVersion">;

/** How soon a daemon tries again to write its state, in milliseconds. */
const retryMs = 2000;

/** For observers: starts no process, changes nothing. */
export function daemonState(daemon: DaemonPlace): DaemonState {
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

/** For a daemon that starts. @returns false when another one of its installation runs already */
export function becomeDaemon(daemon: DaemonPlace, now: Date): boolean {
  if (!takeLock(lockPath(daemon))) return false;
  const { programVersion } = daemon;
  // Its folder is where it was as long as the home folder was not moved.
  const starts = [process.execPath, process.argv[1] ?? "", daemon.folder];
  const state = { pid: process.pid, startedAt: now.toISOString(), programVersion, starts };
  sayWho(daemon.stateFile, `${JSON.stringify(state)}\n`);
  return true;
}

/** A daemon whose state can't be written does its work all the same, and says who it is once it can. */
function sayWho(path: string, text: string): void {
  try {
    writePrivateFile(path, text);
  } catch {
    setTimeout(() => sayWho(path, text), retryMs).unref();
  }
}

/** Why a running daemon is to be started anew, in words; undefined when it is not. */
export function outdatedInWords({ alive, current, missing }: DaemonState): string | undefined {
  if (!alive || current) return undefined;
  return missing === undefined ? "runs an older program" : `runs a program that is gone from ${missing}`;
}

function readState(daemon: DaemonPlace): z.infer<typeof stateFile> | undefined {
  try {
    const state = stateFile.safeParse(readJson(daemon.stateFile)).data;
    // Between taking the lock and writing its own, a daemon's predecessor still stands there.
    return state !== undefined && isAlive(state.pid) ? state : undefined;
  } catch {
    // Half a file can't be (it is written whole); what else stands there is not a daemon's word.
    return undefined;
  }
}

function lockPath({ folder }: DaemonPlace): string {
  return join(folder, "lock");
}
