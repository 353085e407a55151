import { closeSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ensureFolder, isMissing } from "../../../files.ts";
import type { InstallationPaths } from "../../../installation-paths.ts";

/**
 * The ids of open runs, as files beside all installations: ids are agents' names and branches' too, and two stacks of
 * one machine may fire the same changeling in the same second. What is in here is open: after a crash, it is this that
 * has to be taken up again.
 */

/** Gives out ids: they name seconds, and no second twice. */
export class RunIds {
  readonly #paths: InstallationPaths;
  /** By changeling; milliseconds since 1970. */
  readonly #last = new Map<string, number>();

  constructor(paths: InstallationPaths) {
    this.#paths = paths;
  }

  /** @param time milliseconds since 1970 @returns for instance `fixme-fairy-2026-11-21-05-00-00` (UTC) */
  next(changeling: string, time: number): string {
    const last = this.#last.get(changeling) ?? Number.NEGATIVE_INFINITY;
    const second = Math.max(Math.floor(time / 1000) * 1000, last + 1000);
    this.#last.set(changeling, second);
    return `${changeling}-${new Date(second).toISOString().slice(0, 19).replace(/[T:]/g, "-")}`;
  }

  /** An id for a run that is to be open: nobody's on this machine, nor taken otherwise. */
  async claim(changeling: string, time: number, isTaken: (id: string) => Promise<boolean>): Promise<string> {
    for (;;) {
      const id = this.next(changeling, time);
      if (!writeClaim(this.#paths, id)) continue;
      if (!(await isTaken(id))) return id;
      releaseRunId(this.#paths, id);
    }
  }
}

function writeClaim(paths: InstallationPaths, id: string): boolean {
  ensureFolder(folderOf(paths));
  try {
    const file = openSync(join(folderOf(paths), id), "wx", 0o600);
    writeSync(file, basename(paths.root));
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

export function releaseRunId(paths: InstallationPaths, id: string): void {
  rmSync(join(folderOf(paths), id), { force: true });
}

/** Ids of this installation's open runs, with their changelings' names. */
export function openRunIds(paths: InstallationPaths): { id: string; changeling: string }[] {
  try {
    return readdirSync(folderOf(paths))
      .filter((id) => readFileSync(join(folderOf(paths), id), "utf8") === basename(paths.root))
      .map((id) => ({ id, changeling: id.replace(/-\d{4}(-\d\d){5}$/, "") }));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** For an installation that is removed. */
export function releaseAllRunIds(paths: InstallationPaths): void {
  for (const { id } of openRunIds(paths)) releaseRunId(paths, id);
  try {
    rmdirSync(folderOf(paths));
  } catch {
    // Another installation's ids are in it, or it was never made.
  }
}

function folderOf(paths: InstallationPaths): string {
  return join(dirname(paths.root), ".run-ids");
}
