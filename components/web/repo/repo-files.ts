import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { upCommand } from "../../lib/own-commands.ts";
import type { WebSpec } from "../agent/spec.ts";

/** Files in a changeling's repo that belong to this deployment, so they are never committed. */

/** Relative to the repo. */
export const settingsFile = ".changelings/settings.toml";
/** Written by earlier versions: translates spec 001's form of the create template into today's. */
const localSettings = ".mngr/settings.local.toml";
const written = "# Written by `pulumi up`; edits are overwritten.\n";

/** The text of the settings file; undefined if there is none. */
export function settingsText({ settings }: Pick<WebSpec, "settings">): string | undefined {
  return settings === undefined ? undefined : written + settings;
}

/**
 * Writes the settings into a repo on this machine.
 *
 * @throws if the agent has replaced a folder by a symbolic link, which may lead anywhere
 */
export function writeRepoFiles(repo: string, spec: Pick<WebSpec, "settings">): void {
  const text = settingsText(spec);
  removeOurs(repo, localSettings);
  if (text === undefined) removeOurs(repo, settingsFile);
  else {
    exclude(repo, settingsFile);
    writeInside(repo, settingsFile, text);
  }
}

/** Removes only files that were written here before. */
function removeOurs(repo: string, file: string): void {
  if (isRegular(repo, file) && readFileSync(join(repo, file), "utf8").startsWith(written)) rmSync(join(repo, file));
}

function exclude(repo: string, file: string): void {
  const list = ".git/info/exclude";
  const text = isRegular(repo, list) ? readFileSync(join(repo, list), "utf8") : "";
  if (text.split("\n").includes(`/${file}`)) return;
  writeInside(repo, list, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}/${file}\n`);
}

/** Whether it is a regular file, with no symbolic link in its path. */
function isRegular(repo: string, file: string): boolean {
  const parents = parentsOf(repo, file).every((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory());
  return parents && lstatSync(join(repo, file), { throwIfNoEntry: false })?.isFile() === true;
}

/** Replaces an existing file or symbolic link; the folders above it must be real folders. */
function writeInside(repo: string, file: string, text: string): void {
  for (const path of parentsOf(repo, file)) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) mkdirSync(path);
    else if (!found.isDirectory())
      throw new Error(
        `${path} is not a folder, but ${file} has to be written below it; remove it, then run: ${upCommand()}`,
      );
  }
  rmSync(join(repo, file), { force: true });
  writeFileSync(join(repo, file), text, { flag: "wx" });
}

/** Absolute paths of the folders between the repo and a file in it, outermost first. */
function parentsOf(repo: string, file: string): string[] {
  const names = file.split("/").slice(0, -1);
  return names.map((_, index) => join(repo, ...names.slice(0, index + 1)));
}
