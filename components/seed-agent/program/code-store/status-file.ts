import { randomUUID } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Corrupt, codeOf, readRegular, replace } from "./files.ts";
import { firstStatus, fromText, type Status, toText } from "./status.ts";

const currentName = "status.json";
const formerName = "status.former.json";

/** `status.json`, with its former content beside it in case the file gets corrupt. */
export class StatusFile {
  readonly #folder: string;
  /** On the same disk, for files that are not complete yet. */
  readonly #aside: string;
  #status: Status = firstStatus;

  constructor(folder: string, aside: string) {
    this.#folder = folder;
    this.#aside = aside;
  }

  get status(): Status {
    return this.#status;
  }

  /** @param onCorrupt called for each of the two files that is corrupt; it must move the file away */
  async read(onCorrupt: (path: string, name: string, reason: string) => Promise<void>): Promise<void> {
    this.#status = firstStatus;
    for (const name of [currentName, formerName]) {
      const path = join(this.#folder, name);
      try {
        const text = await readRegular(path);
        if (text === undefined) continue;
        this.#status = fromText(text);
        return;
      } catch (error) {
        if (!(error instanceof Corrupt)) throw error;
        await onCorrupt(path, name, error.message);
      }
    }
  }

  async write(status: Status): Promise<void> {
    await this.#keepFormer();
    await replace(join(this.#folder, currentName), toText(status), this.#aside);
    this.#status = status;
  }

  /** Keeps the new status in memory if it can't be written: a full or read-only disk must not keep a node from starting. */
  async writeIfPossible(status: Status): Promise<void> {
    this.#status = status;
    await this.write(status).catch(() => undefined);
  }

  /** Makes a hard link, which takes no space. */
  async #keepFormer(): Promise<void> {
    const aside = join(this.#aside, randomUUID());
    try {
      await link(join(this.#folder, currentName), aside);
      await rename(aside, join(this.#folder, formerName));
    } catch (error) {
      // There is no status yet, or the file system has no hard links.
      if (!["ENOENT", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK"].includes(codeOf(error))) throw error;
    } finally {
      // Renaming a file to another link of the same file does nothing, so the name may still exist.
      await rm(aside, { force: true });
    }
  }
}
