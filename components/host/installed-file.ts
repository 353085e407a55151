import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import { upCommand } from "../lib/own-commands.ts";
import { codeOf, isMissing, namesIn, readJsonOrNull, writePrivateFile } from "./files.ts";

/** A file that `pulumi up` installs, 0600, for a program on this machine. */

export function writeInstalled(path: string, content: object): void {
  writePrivateFile(path, `${JSON.stringify(content, null, 2)}\n`);
}

/**
 * Reads a file that contains a digest of itself.
 *
 * @param intact returns the file's parsed content, or undefined if it is not what was written
 * @returns undefined if there is no such file
 * @throws if it was edited by hand; the error quotes nothing of it
 */
export function readInstalled<Content>(
  path: string,
  intact: (content: unknown) => Content | undefined,
): Content | undefined {
  const content = readJsonOrNull(path);
  if (content === undefined) return undefined;
  const installed = intact(content);
  if (installed === undefined) throw new Error(`${path} was edited by hand; repair it with: ${upCommand()}`);
  return installed;
}

/** The names that a folder has installed files for, sorted. */
export function installedIn(folder: string): string[] {
  return namesIn(folder)
    .filter((file) => /^[^.].*\.json$/.test(file))
    .map((file) => basename(file, ".json"))
    .sort();
}

/** Succeeds if the file is already gone. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
}

/** The name that a file is installed under: the former one until the first `pulumi up` after a rename. */
export function installedUnder(
  pathOf: (name: string) => string,
  { name, renamedFrom }: { readonly name: string; readonly renamedFrom: string | undefined },
): string {
  if (renamedFrom === undefined || existsSync(pathOf(name))) return name;
  return existsSync(pathOf(renamedFrom)) ? renamedFrom : name;
}

/**
 * How an installed file differs from what was installed, as text; undefined if it does not.
 * @param what the kind of file, for instance `job file`
 * @param isAsInstalled whether its content, parsed from JSON, is what was written
 */
export function installedDrift(
  path: string,
  what: string,
  isAsInstalled: (content: unknown) => boolean,
): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) !== 0) return `its ${what} can be read by others`;
    return isAsInstalled(JSON.parse(readFileSync(path, "utf8"))) ? undefined : `its ${what} was edited by hand`;
  } catch (error) {
    if (error instanceof SyntaxError) return `its ${what} was edited by hand`;
    return isMissing(error) ? `its ${what} is missing` : `its ${what} can't be read (${codeOf(error) || error})`;
  }
}
