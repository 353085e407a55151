import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";

/** A folder that nobody else can look into; existing ones are made so. */
export function ensureFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // One that is so already may be where nothing can be written.
  if ((statSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

/** Whole or not at all, in a folder that is made when needed. */
export function writePrivateFile(path: string, text: string): void {
  ensureFolder(dirname(path));
  writeFileAtomic.sync(path, text, { mode: 0o600 });
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
