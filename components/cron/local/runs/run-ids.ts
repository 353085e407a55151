import { randomUUID } from "node:crypto";
import { linkSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, ensureFolder, namesIn, readTextIfAny, writePrivateFile } from "../../../host/files.ts";
import type { InstallationPaths } from "../../../host/installation-paths.ts";

/**
 * The ids of open runs, as files shared by all installations. Ids are also names of agents and branches, and two stacks
 * on one machine may fire the same changeling in the same second. The records say which runs are open; these files say
 * which ids are in use.
 */

/** Allocates ids. Each names a second, and no second is used twice. */
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

  /** Claims an id for a new run that no installation on this machine uses, and that is not taken otherwise. */
  async claim(changeling: string, time: number, isTaken: (id: string) => Promise<boolean>): Promise<string> {
    for (;;) {
      const id = this.next(changeling, time);
      if (!writeClaim(this.#paths, id)) continue;
      if (!(await isTaken(id))) return id;
      releaseRunId(this.#paths, id);
    }
  }
}

/** Atomic and at most once: links a complete file, only if no claim exists. */
function writeClaim(paths: InstallationPaths, id: string): boolean {
  const folder = folderOf(paths);
  ensureFolder(folder);
  const file = join(folder, `.${randomUUID()}`);
  try {
    writePrivateFile(file, basename(paths.root));
    linkSync(file, join(folder, id));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(file, { force: true });
  }
}

export function releaseRunId(paths: InstallationPaths, id: string): void {
  rmSync(join(folderOf(paths), id), { force: true });
}

/** Ids of this installation's open runs, with their changelings' names. */
export function openRunIds(paths: InstallationPaths): { id: string; changeling: string }[] {
  return namesIn(folderOf(paths))
    .filter((id) => !id.startsWith(".") && holderOf(paths, id) === basename(paths.root))
    .map((id) => ({ id, changeling: id.replace(/-\d{4}(-\d\d){5}$/, "") }));
}

/** The installation that holds the id; empty if it was just released. */
function holderOf(paths: InstallationPaths, id: string): string {
  return readTextIfAny(join(folderOf(paths), id)) ?? "";
}

/** Called when the installation is removed. */
export function releaseAllRunIds(paths: InstallationPaths): void {
  for (const { id } of openRunIds(paths)) releaseRunId(paths, id);
  try {
    rmdirSync(folderOf(paths));
  } catch {
    // It contains another installation's ids, or was never created.
  }
}

function folderOf(paths: InstallationPaths): string {
  return join(dirname(paths.root), ".run-ids");
}
