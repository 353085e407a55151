import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isFolderOfRun } from "./temporary-folder.ts";

/**
 * Fills a folder with what is made once per test run and copied from then on. Copying starts no process; making a
 * repository starts git several times.
 *
 * @param name of the contents, the same for all who want them
 * @param make fills an empty folder with them. They must not depend on where they are
 */
export function fillOnce(folder: string, name: string, make: (folder: string) => void): void {
  mkdirSync(folder, { recursive: true });
  if (!isFolderOfRun(tmpdir())) {
    make(folder);
    return;
  }
  const made = join(tmpdir(), `made-${name}`);
  if (!existsSync(made)) {
    const unfinished = mkdtempSync(`${made}-`);
    make(unfinished);
    try {
      renameSync(unfinished, made);
    } catch (error) {
      // Another worker was faster.
      if (!existsSync(made)) throw error;
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  cpSync(made, folder, { recursive: true });
}
