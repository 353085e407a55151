import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ensureFolder } from "../../files.ts";
import type { InstallationPaths } from "../../installation-paths.ts";

/**
 * One scheduler per installation: it holds an exclusive SQLite lock on a file of nothing else. The kernel lets go of it
 * when the process ends, however it ends, so there is no stale lock, and no pid that another process may have got.
 */

const sqliteBusy = 5;

/** A lock that nobody refers to would be let go of by the garbage collector. */
const held: DatabaseSync[] = [];

/** @returns false when another process holds it; otherwise it is held until this process ends */
export function takeLock(paths: InstallationPaths): boolean {
  ensureFolder(paths.scheduler);
  // Observers hold it for an instant.
  const file = open(paths, { timeout: 100 });
  if (isRefused(file, "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")) return false;
  held.push(file);
  return true;
}

export function isLocked(paths: InstallationPaths): boolean {
  if (!existsSync(lockPath(paths))) return false;
  const file = open(paths, { readOnly: true });
  const isHeld = isRefused(file, "SELECT 1 FROM sqlite_schema");
  if (!isHeld) file.close();
  return isHeld;
}

/** Loaded when needed; and quietly, since the first releases of Node 24 warn that it is young. */
function open(paths: InstallationPaths, options: { timeout?: number; readOnly?: boolean }): DatabaseSync {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const sqlite = process.getBuiltinModule("node:sqlite");
    return new sqlite.DatabaseSync(lockPath(paths), options);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Closes the file when refused. */
function isRefused(file: DatabaseSync, sql: string): boolean {
  try {
    file.exec(sql);
    return false;
  } catch (error) {
    file.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return true;
    throw error;
  }
}

function lockPath(paths: InstallationPaths): string {
  return join(paths.scheduler, "lock");
}
