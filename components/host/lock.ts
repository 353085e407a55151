import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder } from "./files.ts";

/**
 * A lock is an exclusive SQLite lock on a file that has no other use. The kernel releases it when its holder ends, so a
 * lock is never stale, and no recorded pid can be reused by another process.
 */

const sqliteBusy = 5;
const retryMs = 100;

/** Keeps references to locks, which the garbage collector would otherwise release. */
const held: DatabaseSync[] = [];

/** @returns false if another process holds it; otherwise it is held until this process ends */
export function takeLock(file: string): boolean {
  ensureFolder(dirname(file));
  // Observers hold it only for an instant.
  const database = open(file, { timeout: 100 });
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
  const database = open(file, { readOnly: true });
  try {
    return isRefused(database, "SELECT 1 FROM sqlite_schema");
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

/** Loaded on demand, and with warnings off: the first releases of Node 24 warn that it is experimental. */
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
