import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
  watch,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** Creates a folder that only its owner can read, or restricts an existing one. */
export function ensureFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw realCause(error, path);
  }
  // A folder that already is private may be on a read-only disk.
  if ((statSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

/** Node reports a missing parent where none could be created, for instance on a read-only disk. */
function realCause(error: unknown, path: string): unknown {
  if (!isMissing(error)) return error;
  for (let parent = path; dirname(parent) !== parent; parent = dirname(parent)) {
    if (!existsSync(dirname(parent))) continue;
    try {
      mkdirSync(parent, { mode: 0o700 });
    } catch (cause) {
      return cause;
    }
    return error;
  }
  return error;
}

/** Writes atomically, and creates the folder if necessary. @throws DiskFullError */
export function writePrivateFile(path: string, text: string): void {
  try {
    ensureFolder(dirname(path));
  } catch (error) {
    throw namingDisk(error, path);
  }
  writeWholeFile(path, text, { mode: 0o600 });
}

/**
 * Replaces a file by a rename, once the whole text is on disk. Readers see the old file or the new one, whatever fails
 * in between. A symlink stays a symlink, and the owner stays the same.
 *
 * @param mode of the file; by default its current one
 * @throws DiskFullError
 */
export function writeWholeFile(path: string, text: string | Uint8Array, options: { mode?: number } = {}): void {
  const target = existsSync(path) ? realpathSync(path) : path;
  const before = statSync(target, { throwIfNoEntry: false });
  const mode = options.mode ?? (before === undefined ? 0o666 & ~process.umask() : before.mode & 0o777);
  // Code that lists a folder by file extension skips this name.
  const temporary = `${target}.${randomUUID()}.new`;
  try {
    const file = openSync(temporary, "wx", mode);
    try {
      writeAll(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    keepOwner(temporary, before);
    // The umask must not restrict it further.
    chmodSync(temporary, mode);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw namingDisk(error, path);
  }
}

function keepOwner(path: string, owner: Stats | undefined): void {
  if (owner === undefined || (owner.uid === process.getuid?.() && owner.gid === process.getgid?.())) return;
  try {
    chownSync(path, owner.uid, owner.gid);
  } catch {
    // Only root may change a file's owner.
  }
}

/** A nearly full disk may accept only a part of a write, without an error. */
export function writeAll(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** A file could not be written for lack of space or quota; the message names the file. */
export class DiskFullError extends Error {}

const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Returns the error, or one that names the file on the full disk: the system's error does not name it. */
export function namingDisk(error: unknown, path: string): unknown {
  if (error instanceof DiskFullError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  return fullCodes.has(code) ? new DiskFullError(`the disk is full: ${path} could not be written (${code})`) : error;
}

/** With less free space than this, the next small files may not fit. */
const leastFreeBytes = 1_000_000;

/** @returns true if the disk that contains a path (or its nearest existing parent) is almost full */
export function isDiskFull(path: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    // Some file systems don't count inodes.
    return bavail * bsize < leastFreeBytes || (files > 0 && ffree === 0);
  } catch (error) {
    const above = dirname(path);
    return isMissing(error) && above !== path ? isDiskFull(above) : false;
  }
}

/** @returns undefined if there is no such file @throws SyntaxError for invalid JSON */
export function readJson(path: string): unknown {
  const text = readTextIfAny(path);
  return text === undefined ? undefined : JSON.parse(text);
}

/** @returns undefined if there is no such file, null if it is not JSON */
export function readJsonOrNull(path: string): unknown {
  try {
    return readJson(path);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function readTextIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The last bytes of a file, at most `bytes` of them; empty if there is no file. */
export function readTail(path: string, bytes: number): string {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      const tail = Buffer.alloc(Math.min(size, bytes));
      return tail.toString("utf8", 0, readSync(file, tail, 0, tail.length, size - tail.length));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
}

/** The names of a folder's entries, in no particular order; empty if there is no folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Like `namesIn`, but also empty if it can't be read, for instance because it is not a folder. */
export function readableNamesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** How often a folder is polled, in milliseconds, where the system can't report changes. */
const pollMs = 2000;

/**
 * Calls back when something changed in a folder, or may have changed.
 * @returns a function that stops watching
 */
export function watchFolder(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(path, onChange);
    // The folder is gone, so there are no more changes to report.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    // The system limits the number of watches.
    const timer = setInterval(onChange, pollMs);
    return () => clearInterval(timer);
  }
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The code of a system error, such as `EEXIST`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
