import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DiskFull } from "./code-store.ts";

/** No file of a version can be this large, in bytes. */
const largestFile = 64 * 1024 ** 2;
const fullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Turns the system's errors for a full disk into DiskFull. */
export async function onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!fullCodes.has(codeOf(error))) throw error;
    throw new DiskFull(`the disk is full: ${String(error)}`, { cause: error });
  }
}

/** Writes and syncs a new file. Its name survives a power failure only after `syncFolder`. */
export async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the renamed, created and deleted names in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Replaces a file atomically. @param aside a folder on the same disk, for the new file until it is complete */
export async function replace(path: string, text: string, aside: string): Promise<void> {
  const temporary = `${aside}/${randomUUID()}`;
  try {
    await writeNew(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A file or folder does not contain what was written to it. The message says why. */
export class Corrupt extends Error {
  override readonly name = "Corrupt";
}

/**
 * Reads a regular file. It does not follow a link, which may lead to someone else's file, or wait for a pipe.
 *
 * @returns undefined if there is none
 * @throws Corrupt
 */
export async function readRegular(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "ELOOP") throw new Corrupt("it is a symbolic link");
    throw new Corrupt(`it can't be read (${codeOf(error)})`);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Corrupt("it is not a file");
    if (stats.size > largestFile) throw new Corrupt(`it has ${stats.size} bytes`);
    return await file.readFile("utf8");
  } catch (error) {
    throw error instanceof Corrupt ? error : new Corrupt(`it can't be read (${codeOf(error)})`);
  } finally {
    await file.close();
  }
}

export async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? false;
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}
