import { randomUUID } from "node:crypto";
import { link, lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRefused, type LockFile, openLock, takeLock } from "../../../lib/file-lock.ts";
import { Turns } from "../database/turns.ts";
import type { Version } from "../domain.ts";
import type { CodeStore, Opened } from "./code-store.ts";
import { Corrupt, codeOf, isFolder, makeFolder, onDisk, readRegular, replace, syncFolder, writeNew } from "./files.ts";
import { activated, firstStatus, fromText, isGood, lastGood, proven, type Status, toText } from "./status.ts";
import { readVersion, writeVersion } from "./version-folder.ts";

export interface DiskOptions {
  readonly folder: string;
  /** How many activations are remembered. */
  readonly history?: number;
  /** How long to wait for another process that uses the folder, which may be about to end. */
  readonly lockMilliseconds?: number;
}

/** So many starts that did not prove themselves are a crash loop. */
const crashLoop = 3;
/** So many things that were set aside are kept, the newest. */
const mostAside = 10;

const idForm = /^v[1-9]\d*$/;
const numberOf = (id: string): number => Number(id.slice(1));

/**
 *     lock                  held while a process uses the folder
 *     status.json           which version is active, the history
 *     status.former.json    what it was before, if the other one is corrupt
 *     versions/v7/          version.json, sources.json, bundle.cjs, tests.cjs
 *     aside/                what is being written or deleted; is emptied by `open`
 *     set-aside/            what was corrupt
 *
 * Whatever else is in the folder is left alone, such as a volume's `lost+found`.
 */
export class DiskCodeStore implements CodeStore {
  readonly #options: Required<DiskOptions>;
  /** What changes the folder takes turns. */
  readonly #turns = new Turns();
  readonly #versions = new Set<string>();
  #status: Status = firstStatus;
  #lock: LockFile | undefined;

  constructor({ folder, history = 50, lockMilliseconds = 10_000 }: DiskOptions) {
    this.#options = { folder, history, lockMilliseconds };
  }

  open(): Promise<Opened> {
    return this.#inTurn(async () => {
      await makeFolder(this.#options.folder);
      await this.#takeLock();
      const setAside: { name: string; reason: string }[] = [];
      const put = async (path: string, name: string, reason: string) => {
        setAside.push({ name, reason: (await this.#setAside(path, name)) ?? reason });
      };
      for (const name of ["set-aside", "aside", "versions"]) {
        const path = this.#path(name);
        const exists = (await lstat(path).catch(() => undefined)) !== undefined;
        if (exists && !(await isFolder(path))) {
          // For instance a link to a folder that is not ours: not even `set-aside` can be used before this.
          await rename(path, this.#path(`not-a-folder-${randomUUID()}`));
          setAside.push({ name, reason: "it is not a folder" });
        }
        await makeFolder(path);
      }
      await syncFolder(this.#options.folder);
      for (const name of await readdir(this.#path("aside"))) {
        await rm(this.#path("aside", name), { recursive: true, force: true });
      }
      await this.#readStatus(put);
      this.#versions.clear();
      for (const name of await readdir(this.#path("versions"))) {
        const problem = await this.#problem(name);
        if (problem === undefined) this.#versions.add(name);
        else await put(this.#path("versions", name), name, problem);
      }
      const { active } = this.#status;
      if (!this.#has(active)) await this.#fallBack();
      await this.#forgetOldest();
      return { versions: [...this.#versions].toSorted((one, other) => numberOf(one) - numberOf(other)), setAside };
    });
  }

  write(version: Version): Promise<void> {
    return this.#inTurn(async () => {
      const { id } = version;
      if (!idForm.test(id)) throw new Error(`${JSON.stringify(id)} can't be kept: only v1, v2, …`);
      const path = this.#path("versions", id);
      const before = await this.#readOrSetAside(id);
      if (before?.hash === version.hash && before.bundle === version.bundle.toWellFormed()) return;
      const aside = this.#path("aside", randomUUID());
      try {
        await writeVersion(aside, version);
        // The store's database was replaced, and has allotted the id again.
        if (before !== undefined) await this.#setAside(path, id);
        await rename(aside, path);
      } catch (error) {
        await rm(aside, { recursive: true, force: true }).catch(() => undefined);
        throw error;
      }
      await syncFolder(this.#path("versions"));
      this.#versions.add(id);
    });
  }

  read(id: string): Promise<Version | undefined> {
    return this.#inTurn(() => this.#readOrSetAside(id));
  }

  activate(id: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#has(id)) throw new Error(`${id} is not in ${this.#options.folder}`);
      if (id === this.#status.active) return;
      await this.#write(activated(this.#status, id, new Date().toISOString(), this.#options.history));
    });
  }

  active(): string {
    return this.#status.active;
  }

  lastGood(): string {
    return lastGood(this.#status, (id) => this.#has(id));
  }

  isGood(): boolean {
    return isGood(this.#status, this.#status.active);
  }

  markGood(id: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!isGood(this.#status, id)) await this.#write(proven(this.#status, id));
    });
  }

  beginStart(): ReturnType<CodeStore["beginStart"]> {
    return this.#inTurn(async () => {
      const starts = this.#status.starts + 1;
      await this.#writeIfPossible({ ...this.#status, starts });
      return { isCrashLoop: starts >= crashLoop, starts };
    });
  }

  markStarted(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#status.starts > 0) await this.#write({ ...this.#status, starts: 0 });
    });
  }

  prune(keep: ReadonlySet<string>): Promise<void> {
    return this.#inTurn(async () => {
      const kept = new Set([...keep, this.active(), this.lastGood()]);
      for (const id of [...this.#versions].filter((each) => !kept.has(each))) {
        // In one step, so that no half of a version is left.
        const aside = this.#path("aside", randomUUID());
        await rename(this.#path("versions", id), aside);
        this.#versions.delete(id);
        await syncFolder(this.#path("versions"));
        await rm(aside, { recursive: true, force: true });
      }
    });
  }

  check(): Promise<void> {
    return this.#inTurn(async () => {
      const path = this.#path("aside", randomUUID());
      const text = randomUUID();
      try {
        await writeNew(path, text);
        if ((await readRegular(path)) !== text) throw new Error(`${path} does not contain what was written to it`);
      } finally {
        await rm(path, { force: true });
      }
      const { active } = this.#status;
      const problem = active === "v0" ? undefined : await this.#problem(active);
      if (problem !== undefined) throw new Corrupt(`the active version ${active}: ${problem}`);
    });
  }

  close(): Promise<void> {
    return this.#turns.take(async () => {
      this.#lock?.close();
      this.#lock = undefined;
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#turns.take(() => onDisk(work));
  }

  #path(...names: string[]): string {
    return join(this.#options.folder, ...names);
  }

  #has(id: string): boolean {
    return id === "v0" || this.#versions.has(id);
  }

  /** Two processes would clear away what the other one is writing. */
  async #takeLock(): Promise<void> {
    if (this.#lock !== undefined) return;
    const { folder, lockMilliseconds } = this.#options;
    const lock = openLock(this.#path("lock"), { timeout: 0 });
    try {
      for (const end = performance.now() + lockMilliseconds; isRefused(lock, takeLock); await sleep(50)) {
        if (performance.now() < end) continue;
        const remedy = "Stop it, or give this one another folder by SEED_CODE_DIR";
        throw new Error(`another process uses ${folder} for its code. ${remedy}.`);
      }
    } catch (error) {
      lock.close();
      throw error;
    }
    this.#lock = lock;
  }

  async #readStatus(put: (path: string, name: string, reason: string) => Promise<void>): Promise<void> {
    this.#status = firstStatus;
    for (const name of [statusName, formerName]) {
      try {
        const text = await readRegular(this.#path(name));
        if (text === undefined) continue;
        this.#status = fromText(text);
        return;
      } catch (error) {
        if (!(error instanceof Corrupt)) throw error;
        await put(this.#path(name), name, error.message);
      }
    }
  }

  async #write(status: Status): Promise<void> {
    const { folder } = this.#options;
    await this.#keepFormer();
    await replace(join(folder, statusName), toText(status), this.#path("aside"));
    this.#status = status;
  }

  /** As a second name of the same file, so that it takes no space. */
  async #keepFormer(): Promise<void> {
    const aside = this.#path("aside", randomUUID());
    try {
      await link(this.#path(statusName), aside);
      await rename(aside, this.#path(formerName));
    } catch (error) {
      // Not every file system has links.
      if (!["ENOENT", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK"].includes(codeOf(error))) throw error;
    } finally {
      // Renaming a file to another name of itself does nothing.
      await rm(aside, { force: true });
    }
  }

  /** A full or read-only disk must not keep a node from starting. */
  async #writeIfPossible(status: Status): Promise<void> {
    this.#status = status;
    await this.#write(status).catch(() => undefined);
  }

  async #fallBack(): Promise<void> {
    const { history } = this.#options;
    const { starts } = this.#status;
    const good = activated(this.#status, this.lastGood(), new Date().toISOString(), history);
    await this.#writeIfPossible({ ...good, starts });
  }

  /** Why a version can't be loaded; undefined if it can. */
  async #problem(id: string): Promise<string | undefined> {
    if (!idForm.test(id)) return "it is no version";
    try {
      await readVersion(this.#path("versions", id), id);
      return undefined;
    } catch (error) {
      if (error instanceof Corrupt) return error.message;
      throw error;
    }
  }

  async #readOrSetAside(id: string): Promise<Version | undefined> {
    if (!idForm.test(id)) return undefined;
    const path = this.#path("versions", id);
    if ((await lstat(path).catch(() => undefined)) === undefined) {
      this.#versions.delete(id);
      return undefined;
    }
    try {
      return await readVersion(path, id);
    } catch (error) {
      if (!(error instanceof Corrupt)) throw error;
      this.#versions.delete(id);
      await this.#setAside(path, id);
      return undefined;
    }
  }

  /** @returns why it could not be moved; then it stays, and is not loaded all the same */
  async #setAside(path: string, name: string): Promise<string | undefined> {
    const at = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    try {
      await rename(path, this.#path("set-aside", `${at}-${name.slice(0, 100)}-${randomUUID().slice(0, 8)}`));
      return undefined;
    } catch (error) {
      return `it could not be moved to set-aside (${codeOf(error)})`;
    }
  }

  async #forgetOldest(): Promise<void> {
    const names = (await readdir(this.#path("set-aside"))).toSorted();
    for (const name of names.slice(0, -mostAside)) {
      await rm(this.#path("set-aside", name), { recursive: true, force: true });
    }
  }
}

const statusName = "status.json";
const formerName = "status.former.json";
