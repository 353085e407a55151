import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { DiskCodeStore } from "../../../components/seed-agent/program/code-store/disk.ts";
import { versionOf } from "../code-versions.ts";

/** Gives each test of a file a folder of its own, and code stores in it. */
export function codeStoreLab() {
  let folder = "";
  let opened: DiskCodeStore | undefined;
  const at = (...names: string[]): string => join(folder, "code", ...names);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "code-store-"));
  });
  afterEach(async () => {
    await opened?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the store as after a restart. */
  async function open() {
    await opened?.close();
    const store = new DiskCodeStore({ folder: at(), lockMilliseconds: 200, history: 4 });
    opened = store;
    return { store, ...(await store.open()) };
  }

  async function withVersions(...numbers: number[]) {
    const { store } = await open();
    for (const number of numbers) await store.write(versionOf(number));
    return store;
  }

  /** Opens a store in which v1 is good, v2 is active and good, and v3 exists. */
  async function used() {
    const store = await withVersions(1, 2, 3);
    for (const id of ["v1", "v2"]) {
      await store.activate(id);
      await store.markGood(id);
    }
    return store;
  }

  return {
    ...{ at, open, withVersions, used },
    get folder() {
      return folder;
    },
    /** The store that was opened last. */
    get opened() {
      if (opened === undefined) throw new Error("no store was opened");
      return opened;
    },
  };
}
