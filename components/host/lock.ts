import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRefused, type LockFile, openLock, readLock, takeLock as take } from "../lib/file-lock.ts";
import { ensureFolder } from "./files.ts";

const retryMs = 100;

/** Keeps references to locks, which the garbage collector would otherwise release. */
const held: LockFile[] = [];

/** @returns false if another process holds it; otherwise it is held until this process ends */
export function takeLock(file: string): boolean {
  ensureFolder(dirname(file));
  // Observers hold it only for an instant.
  const database = openLock(file, { timeout: 100 });
  if (isRefused(database, take)) {
    database.close();
    return false;
  }
  held.push(database);
  return true;
}

/** Whether a process holds it. Changes nothing. */
export function isLocked(file: string): boolean {
  if (!existsSync(file)) return false;
  const database = openLock(file, { readOnly: true });
  try {
    return isRefused(database, readLock);
  } finally {
    database.close();
  }
}

/**
 * Runs `work` while no other process holds the same lock file.
 *
 * @param what the thing that is waited for, for the error
 * @throws after waiting `waitSeconds`
 */
export async function withLock<Result>(
  file: string,
  { what, waitSeconds }: { readonly what: string; readonly waitSeconds: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const database = openLock(file);
  try {
    for (const end = Date.now() + waitSeconds * 1000; isRefused(database, take); await sleep(retryMs)) {
      if (Date.now() > end) throw new Error(`another process has been ${what} for over ${waitSeconds} s (${file})`);
    }
    return await work();
  } finally {
    database.close();
  }
}
