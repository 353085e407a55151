import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DiskFullError, readTextIfAny, writePrivateFile } from "../../../../host/files.ts";
import type { Log } from "../../../../host/log.ts";

/** The files of the logins. One process writes them: the one that holds the forwarding server's lock. */

/** How soon a write that failed is tried again, in milliseconds. */
const retryMs = 5000;

/** Why a change is not on the disk, although it is in force. */
export interface Unsaved {
  /** A sentence about the file, without the full stop. */
  readonly problem: string;
  /** The old content is no longer there either, so a restart can't bring back what has ended. */
  readonly isOldGone: boolean;
}

export interface OwnFileOptions {
  readonly path: string;
  /** All that is to be in it now. */
  readonly content: () => string;
  /** What a restart does where there is no such file, for instance `ends all logins`. */
  readonly withoutIt: string;
  readonly log: Log;
}

/**
 * A file that holds what this process knows. What it knows holds at once; a disk that is full delays the file alone. A
 * restart then finds no file rather than an old one, which would bring back what has ended.
 */
export class OwnFile {
  readonly #options: OwnFileOptions;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: OwnFileOptions) {
    this.#options = options;
  }

  /**
   * Whole or not at all, 0600, and on the disk when it returns: also a loss of power does not undo it. What can't be
   * written is tried again until it can.
   */
  save(): Unsaved | undefined {
    const first = this.#attempt(() => this.#write());
    if (first === undefined) return this.#saved();
    const isOldGone = this.#attempt(() => this.#remove()) === undefined;
    // The old file's room may be just what is missing.
    if (isOldGone && this.#attempt(() => this.#write()) === undefined) return this.#saved();
    const { path, withoutIt, log } = this.#options;
    const until = isOldGone
      ? `it was removed, so a restart before it is there again ${withoutIt}`
      : "a restart before it can be written again brings back what has ended";
    const why = first instanceof DiskFullError ? first.message : `${path} could not be written (${first.message})`;
    const problem = `${why}; ${until}`;
    if (this.#retry === undefined) log(problem);
    clearTimeout(this.#retry);
    // Its folder goes with its installation.
    this.#retry = setTimeout(() => existsSync(dirname(path)) && this.save(), retryMs).unref();
    return { problem, isOldGone };
  }

  #saved(): undefined {
    if (this.#retry !== undefined) this.#options.log(`${this.#options.path} is written again`);
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

  /** @returns why it failed */
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
    log(`${path} is damaged: it was moved aside as ${basename(aside)}, and nothing in it is valid`);
    return "damaged";
  }
}

/** What a kill in the middle of a write left beside a file; they would pile up. */
function removeHalfWritten(path: string): void {
  const halfWritten = new RegExp(`^${basename(path).replaceAll(".", "\\.")}\\.(\\d+|[0-9a-f-]{36}\\.new)$`);
  for (const file of filesOf(dirname(path))) if (halfWritten.test(file)) rmSync(join(dirname(path), file));
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
