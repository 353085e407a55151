import type { DatabaseSync } from "node:sqlite";

/**
 * A lock is an exclusive SQLite lock on a file that has no other use. The kernel releases it when its holder ends, so a
 * lock is never stale, and no recorded pid can be reused by another process.
 */
export type LockFile = DatabaseSync;

export const takeLock = "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE";
export const readLock = "SELECT 1 FROM sqlite_schema";

const sqliteBusy = 5;

/**
 * Opens a lock without taking it. `node:sqlite` is loaded on demand, and with warnings off: the first releases of Node 24
 * warn that it is experimental.
 */
export function openLock(file: string, options: { timeout?: number; readOnly?: boolean } = {}): LockFile {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const sqlite = process.getBuiltinModule("node:sqlite");
    return new sqlite.DatabaseSync(file, options);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** @returns true if another process has the lock; otherwise this one has taken it, until it is closed */
export function isRefused(lock: LockFile, statement: typeof takeLock | typeof readLock): boolean {
  try {
    lock.exec(statement);
    return false;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return true;
    throw error;
  }
}
