import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DiskFullError, readableNamesIn, readTextIfAny, writePrivateFile } from "../../../../host/files.ts";
import type { Log } from "../../../../host/log.ts";

/** Files with the state of logins. Only the process that holds the forwarding server's lock writes them. */

/** Delay before a failed write is retried, in milliseconds. */
const retryMs = 5000;

/** A change that applies already, but could not be saved. */
export interface Unsaved {
  /** A sentence about the file, without the full stop. */
  readonly problem: string;
  /** Whether the old content was deleted, so that a restart can't restore ended logins. */
  readonly isOldGone: boolean;
}

export interface StateFileOptions {
  readonly path: string;
  /** The file's current content. */
  readonly content: () => string;
  /** The effect of a restart without the file, for instance `ends all logins`. */
  readonly withoutFile: string;
  readonly log: Log;
}

/**
 * A file with a part of this process's state. A change applies at once, even if the disk is full. The old file is then
 * deleted, because a restart would restore the logins that have ended since.
 */
export class StateFile {
  readonly #options: StateFileOptions;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: StateFileOptions) {
    this.#options = options;
  }

  /**
   * Writes atomically, with mode 0600, and syncs to disk before it returns, so that it survives a power loss. Failed
   * writes are retried until they succeed.
   */
  save(): Unsaved | undefined {
    const first = this.#attempt(() => this.#write());
    if (first === undefined) return this.#saved();
    const isOldGone = this.#attempt(() => this.#remove()) === undefined;
    // Deleting the old file may free the missing space.
    if (isOldGone && this.#attempt(() => this.#write()) === undefined) return this.#saved();
    const { path, withoutFile, log } = this.#options;
    const effect = isOldGone
      ? `the old file was deleted, so a restart now ${withoutFile}`
      : "a restart now restores logins that have ended";
    const why = first instanceof DiskFullError ? first.message : `${path} could not be written (${first.message})`;
    const problem = `${why}; ${effect}. Writing is retried`;
    if (this.#retry === undefined) log(problem);
    clearTimeout(this.#retry);
    // The folder is deleted with its installation.
    this.#retry = setTimeout(() => existsSync(dirname(path)) && this.save(), retryMs).unref();
    return { problem, isOldGone };
  }

  #saved(): undefined {
    if (this.#retry !== undefined) this.#options.log(`${this.#options.path} could be written again`);
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #write(): void {
    const { path, content } = this.#options;
    writePrivateFile(path, content());
    syncFolder(dirname(path));
  }

  #remove(): void {
    const { path } = this.#options;
    rmSync(path, { force: true });
    syncFolder(dirname(path));
  }

  /** @returns the error if it failed */
  #attempt(work: () => void): Error | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * A damaged file is renamed and logged.
 *
 * @param parse throws on unusable content
 * @returns undefined if there is no such file, `damaged` if its content is unusable
 */
export function readStateFile<Content>(
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
    log(`${path} is damaged, so it was renamed to ${basename(aside)}, and its contents are ignored`);
    return "damaged";
  }
}

/** Removes temporary files of interrupted writes, which would accumulate. */
function removeHalfWritten(path: string): void {
  const halfWritten = new RegExp(`^${basename(path).replaceAll(".", "\\.")}\\.(\\d+|[0-9a-f-]{36}\\.new)$`);
  for (const file of readableNamesIn(dirname(path))) if (halfWritten.test(file)) rmSync(join(dirname(path), file));
}
