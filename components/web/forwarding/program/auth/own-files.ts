import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readTextIfAny, writePrivateFile } from "../../../../files.ts";
import type { Log } from "../../../../supervision/log.ts";

/** The files of the logins. One process writes them: the one that holds the forwarding server's lock. */

/** Whole or not at all, 0600, and on the disk when it returns: also a loss of power does not undo it. */
export function writeDurably(path: string, text: string): void {
  writePrivateFile(path, text);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * A file that was damaged is put aside under another name, with a line in the log.
 *
 * @param parse throws for what it can't use
 * @returns undefined when there is no such file, `damaged` when nothing of it can be used
 */
export function readOwn<Content>(
  path: string,
  parse: (text: string) => Content,
  log: Log,
): Content | undefined | "damaged" {
  removeHalfWritten(path);
  const text = readTextIfAny(path);
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch {
    const aside = `${path}.damaged-${Date.now()}`;
    renameSync(path, aside);
    log(`${path} is damaged: it was put aside as ${basename(aside)}, and nothing in it is valid`);
    return "damaged";
  }
}

/** What a kill in the middle of a write left beside a file; they would pile up. */
function removeHalfWritten(path: string): void {
  const halfWritten = new RegExp(`^${basename(path).replaceAll(".", "\\.")}\\.\\d+$`);
  for (const file of filesOf(dirname(path))) if (halfWritten.test(file)) rmSync(join(dirname(path), file));
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
