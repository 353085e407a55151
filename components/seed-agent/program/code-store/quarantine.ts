import { randomUUID } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "./files.ts";

/** How many corrupt files and folders are kept. */
const maxKept = 10;

/** The folder `set-aside`, to which corrupt files and folders are moved. */
export class Quarantine {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns why it could not be moved, or undefined if it was. If not, it stays where it is, and is not loaded either */
  async add(path: string, name: string): Promise<string | undefined> {
    const at = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    try {
      await rename(path, join(this.#folder, `${at}-${name.slice(0, 100)}-${randomUUID().slice(0, 8)}`));
      return undefined;
    } catch (error) {
      return `it could not be moved to set-aside (${codeOf(error)})`;
    }
  }

  async deleteOldest(): Promise<void> {
    const names = (await readdir(this.#folder)).toSorted();
    for (const name of names.slice(0, -maxKept)) {
      await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }
}
