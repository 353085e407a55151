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

/** A folder that nobody else can look into; existing ones are made so. */
export function ensureFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw realCause(error, path);
  }
  // One that is so already may be where nothing can be written.
  if ((statSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

/** Node calls a parent missing where none could be made: on a read-only disk, for one. */
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

/** Whole or not at all, in a folder that is made when needed. @throws DiskFullError */
export function writePrivateFile(path: string, text: string): void {
  try {
    ensureFolder(dirname(path));
  } catch (error) {
    throw namingDisk(error, path);
  }
  writeWholeFile(path, text, { mode: 0o600 });
}

/**
 * Replaces a file by a rename, once all of the text is on the disk: readers see the old file or the new one, whatever
 * fails in between. A symlink stays one; the owner stays who it was.
 *
 * @param mode of the file; by default the one it has
 * @throws DiskFullError
 */
export function writeWholeFile(path: string, text: string | Uint8Array, options: { mode?: number } = {}): void {
  const target = existsSync(path) ? realpathSync(path) : path;
  const before = statSync(target, { throwIfNoEntry: false });
  const mode = options.mode ?? (before === undefined ? 0o666 & ~process.umask() : before.mode & 0o777);
  // Whoever lists a folder by its files' extension passes it over.
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
    // The umask must not narrow it.
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
    // Only root may give files away.
  }
}

/** A disk that is nearly full takes a part of what it is given, without an error. */
export function writeAll(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** A file could not be written for want of space (or of quota); the message names it. */
export class DiskFullError extends Error {}

const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** The same error, or one that names the file on the full disk: the system's own names none when a write fails. */
export function namingDisk(error: unknown, path: string): unknown {
  if (error instanceof DiskFullError || !(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  return fullCodes.has(code) ? new DiskFullError(`the disk is full: ${path} could not be written (${code})`) : error;
}

/** Less free space than this, and the next small files may not fit. */
const leastFreeBytes = 1_000_000;

/** @returns true when the disk that holds a path (or the nearest folder above it that is there) is all but full */
export function isDiskFull(path: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    // Some file systems count no inodes.
    return bavail * bsize < leastFreeBytes || (files > 0 && ffree === 0);
  } catch (error) {
    const above = dirname(path);
    return isMissing(error) && above !== path ? isDiskFull(above) : false;
  }
}

/** @returns undefined when there is no such file @throws SyntaxError for bad JSON */
export function readJson(path: string): unknown {
  const text = readTextIfAny(path);
  return text === undefined ? undefined : JSON.parse(text);
}

/** @returns undefined when there is no such file, null when it is not JSON */
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

/** The last so many bytes of a file, or all of it; empty when there is none. */
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

/** How often a folder is looked at, in milliseconds, where the system can't tell of changes. */
const lookEveryMs = 2000;

/**
 * Calls back when something changed in a folder, or might have.
 * @returns a function that ends it
 */
export function watchFolder(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(path, onChange);
    // The folder went away: there is nothing more to tell of.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    // A system watches so many files and no more.
    const timer = setInterval(onChange, lookEveryMs);
    return () => clearInterval(timer);
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
