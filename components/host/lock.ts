import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder } from "./files.ts";

/**
 * A lock is an exclusive SQLite lock on a file of nothing else. The kernel lets go of it when its holder ends, however
 * it ends, so there is no stale lock, and no pid that another process may have got.
 */

const sqliteBusy = 5;
const retryMs = 100;

/** A lock that nobody refers to would be let go of by the garbage collector. */
const held: DatabaseSync[] = [];

/** @returns false when another process holds it; otherwise it is held until this process ends */
export function takeLock(file: string): boolean {
  ensureFolder(dirname(file));
  // Observers hold it for an instant.
  const database = open(file, { timeout: 100 });
  if (isRefused(database, take)) {
    database.close();
    return false;
  }
  held.push(database);
  return true;
}

/** Whether some process holds it; changes nothing. */
export function isLocked(file: string): boolean {
  if (!existsSync(file)) return false;
  const database = open(file, { readOnly: true });
  try {
    return isRefused(database, "SELECT 1 FROM sqlite_schema");
  } finally {
    database.close();
  }
}

/**
 * Runs `work` while no other process runs work with the same lock file.
 *
 * @param what is being waited for, for the error
 * @throws after `waitSeconds` of waiting
 */
export async function withLock<Result>(
  file: string,
  { what, waitSeconds }: { readonly what: string; readonly waitSeconds: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const database = open(file, {});
  try {
    for (const end = Date.now() + waitSeconds * 1000; isRefused(database, take); await sleep(retryMs)) {
      if (Date.now() > end) throw new Error(`another process has been ${what} for over ${waitSeconds} s (${file})`);
    }
    return await work();
  } finally {
    database.close();
  }
}

const take = "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE";

/** Loaded when needed; and quietly, since the first releases of Node 24 warn that it is young. */
function open(file: string, options: { timeout?: number; readOnly?: boolean }): DatabaseSync {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const sqlite = process.getBuiltinModule("node:sqlite");
    return new sqlite.DatabaseSync(file, options);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function isRefused(database: DatabaseSync, sql: string): boolean {
  try {
    database.exec(sql);
    return false;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return true;
    throw error;
  }
}
