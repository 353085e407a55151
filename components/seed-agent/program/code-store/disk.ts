import { randomUUID } from "node:crypto";
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LockFile } from "../../../lib/file-lock.ts";
import type { Version } from "../domain.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { CodeStore, Opened } from "./code-store.ts";
import { Corrupt, isFolder, makeFolder, onDisk, readRegular, syncFolder, writeNew } from "./files.ts";
import { lockFolder } from "./folder-lock.ts";
import { Quarantine } from "./quarantine.ts";
import { activated, isGood, lastGood, proven, type Status } from "./status.ts";
import { StatusFile } from "./status-file.ts";
import { readVersion, writeVersion } from "./version-folder.ts";

export interface DiskOptions {
  readonly folder: string;
  /** How many activations the history keeps. */
  readonly history?: number;
  /** How long to wait for another process that uses the folder, and may be about to end. */
  readonly lockMilliseconds?: number;
}

/** After this many starts in a row that did not prove themselves, the node is in a crash loop. */
const crashLoop = 3;

const idForm = /^v[1-9]\d*$/;
const numberOf = (id: string): number => Number(id.slice(1));

/**
 * The code store as a folder:
 *
 *     lock                  held while a process uses the folder
 *     status.json           the active version and the history
 *     status.former.json    the status before the last change, in case status.json is corrupt
 *     versions/v7/          version.json, sources.json, bundle.cjs, tests.cjs
 *     aside/                files that are being written or deleted; emptied by `open`
 *     set-aside/            corrupt files and folders
 *
 * Other files in the folder are left alone, such as a volume's `lost+found`.
 */
export class DiskCodeStore implements CodeStore {
  readonly #options: Required<DiskOptions>;
  readonly #statusFile: StatusFile;
  readonly #quarantine: Quarantine;
  /** Only one operation uses the folder at a time. */
  readonly #queue = new SerialQueue();
  readonly #versions = new Set<string>();
  #lock: LockFile | undefined;

  constructor({ folder, history = 50, lockMilliseconds = 10_000 }: DiskOptions) {
    this.#options = { folder, history, lockMilliseconds };
    this.#statusFile = new StatusFile(folder, this.#path("aside"));
    this.#quarantine = new Quarantine(this.#path("set-aside"));
  }

  get #status(): Status {
    return this.#statusFile.status;
  }

  open(): Promise<Opened> {
    return this.#exclusively(async () => {
      const { folder, lockMilliseconds } = this.#options;
      await makeFolder(folder);
      this.#lock ??= await lockFolder(folder, lockMilliseconds);
      const setAside: { name: string; reason: string }[] = [];
      const quarantine = async (path: string, name: string, reason: string) => {
        setAside.push({ name, reason: (await this.#quarantine.add(path, name)) ?? reason });
      };
      for (const name of ["set-aside", "aside", "versions"]) {
        const path = this.#path(name);
        const exists = (await lstat(path).catch(() => undefined)) !== undefined;
        if (exists && !(await isFolder(path))) {
          // For instance a link to someone else's folder. `set-aside` itself may be one, so it can't be used for this.
          await rename(path, this.#path(`not-a-folder-${randomUUID()}`));
          setAside.push({ name, reason: "it is not a folder" });
        }
        await makeFolder(path);
      }
      await syncFolder(folder);
      for (const name of await readdir(this.#path("aside"))) {
        await rm(this.#path("aside", name), { recursive: true, force: true });
      }
      await this.#statusFile.read(quarantine);
      this.#versions.clear();
      for (const name of await readdir(this.#path("versions"))) {
        const problem = await this.#problem(name);
        if (problem === undefined) this.#versions.add(name);
        else await quarantine(this.#path("versions", name), name, problem);
      }
      const { active } = this.#status;
      if (!this.#has(active)) await this.#fallBack();
      await this.#quarantine.deleteOldest();
      return { versions: [...this.#versions].toSorted((one, other) => numberOf(one) - numberOf(other)), setAside };
    });
  }

  write(version: Version): Promise<void> {
    return this.#exclusively(async () => {
      const { id } = version;
      if (!idForm.test(id)) throw new Error(`${JSON.stringify(id)} can't be written: only v1, v2, …`);
      const path = this.#path("versions", id);
      const before = await this.#readOrQuarantine(id);
      if (before?.hash === version.hash && before.bundle === version.bundle.toWellFormed()) return;
      const aside = this.#path("aside", randomUUID());
      try {
        await writeVersion(aside, version);
        // The store's database was replaced, and has assigned the id again.
        if (before !== undefined) await this.#quarantine.add(path, id);
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
    return this.#exclusively(() => this.#readOrQuarantine(id));
  }

  activate(id: string): Promise<void> {
    return this.#exclusively(async () => {
      if (!this.#has(id)) throw new Error(`${id} is not in ${this.#options.folder}`);
      if (id === this.#status.active) return;
      await this.#statusFile.write(activated(this.#status, id, new Date().toISOString(), this.#options.history));
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
    return this.#exclusively(async () => {
      if (!isGood(this.#status, id)) await this.#statusFile.write(proven(this.#status, id));
    });
  }

  beginStart(): ReturnType<CodeStore["beginStart"]> {
    return this.#exclusively(async () => {
      const starts = this.#status.starts + 1;
      await this.#statusFile.writeIfPossible({ ...this.#status, starts });
      return { isCrashLoop: starts >= crashLoop, starts };
    });
  }

  markStarted(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#status.starts > 0) await this.#statusFile.write({ ...this.#status, starts: 0 });
    });
  }

  prune(keep: ReadonlySet<string>): Promise<void> {
    return this.#exclusively(async () => {
      const kept = new Set([...keep, this.active(), this.lastGood()]);
      for (const id of [...this.#versions].filter((each) => !kept.has(each))) {
        // Renaming is one step: a version is never half deleted.
        const aside = this.#path("aside", randomUUID());
        await rename(this.#path("versions", id), aside);
        this.#versions.delete(id);
        await syncFolder(this.#path("versions"));
        await rm(aside, { recursive: true, force: true });
      }
    });
  }

  check(): Promise<void> {
    return this.#exclusively(async () => {
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
    return this.#queue.run(async () => {
      this.#lock?.close();
      this.#lock = undefined;
    });
  }

  #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(() => onDisk(work));
  }

  #path(...names: string[]): string {
    return join(this.#options.folder, ...names);
  }

  #has(id: string): boolean {
    return id === "v0" || this.#versions.has(id);
  }

  async #fallBack(): Promise<void> {
    const { history } = this.#options;
    const { starts } = this.#status;
    const good = activated(this.#status, this.lastGood(), new Date().toISOString(), history);
    await this.#statusFile.writeIfPossible({ ...good, starts });
  }

  /** @returns why a version can't be loaded, or undefined if it can */
  async #problem(id: string): Promise<string | undefined> {
    if (!idForm.test(id)) return "it is not a version";
    try {
      await readVersion(this.#path("versions", id), id);
      return undefined;
    } catch (error) {
      if (error instanceof Corrupt) return error.message;
      throw error;
    }
  }

  async #readOrQuarantine(id: string): Promise<Version | undefined> {
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
      await this.#quarantine.add(path, id);
      return undefined;
    }
  }
}
