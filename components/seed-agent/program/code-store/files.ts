import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DiskFull } from "./code-store.ts";

/** Larger than any version can be, in bytes. */
const largestFile = 64 * 1024 ** 2;
const fullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** @throws DiskFull, where the system's error is that */
export async function onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!fullCodes.has(codeOf(error))) throw error;
    throw new DiskFull(`the disk is full: ${String(error)}`, { cause: error });
  }
}

/** A new file whose content is on disk when this resolves; its name is, once its folder is synced. */
export async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What was renamed, made or deleted in a folder survives a loss of power after this. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Replaces a file in one step. @param aside a folder on the same disk, for the new file until it is complete */
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

/** What is read is not what was written. The message says why. */
export class Corrupt extends Error {
  override readonly name = "Corrupt";
}

/**
 * Reads a regular file. A link would lead to a file that is not ours, and a pipe would never end.
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
