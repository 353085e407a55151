import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { versionOf } from "../../../support/code-versions.ts";
import { noTinyDisk, runOnTinyDisk } from "../../../support/full-disk.ts";
import { codeStoreLab } from "../../../support/seed-agent/code-store-lab.ts";

const lab = codeStoreLab();
const { at, open, used, withVersions } = lab;

describe("versions", () => {
  it("are read as they were written, also after a restart", async () => {
    const store = await withVersions(10, 9);
    const { testBundle, report, parent, ...bare } = versionOf(2);
    await store.write(bare);
    for (const each of [store, (await open()).store]) {
      expect(await each.read("v10")).toEqual(versionOf(10));
      expect(await each.read("v2")).toEqual(bare);
      for (const id of ["v3", "v0", "../code", "v1/..", ""]) expect(await each.read(id)).toBeUndefined();
    }
    expect((await open()).versions).toEqual(["v2", "v9", "v10"]);
    expect(statSync(at()).mode & 0o777).toBe(0o700);
    expect(statSync(at("versions/v2/bundle.cjs")).mode & 0o777).toBe(0o600);
  });

  it("are stored under file names of this program, never of the author", async () => {
    await withVersions(1);
    expect(readdirSync(at("versions/v1")).toSorted()).toEqual([
      "bundle.cjs",
      "sources.json",
      "tests.cjs",
      "version.json",
    ]);
    expect(existsSync(join(lab.folder, "etc"))).toBe(false);
  });

  it("are written once, and replaced if the store has assigned the id again", async () => {
    const store = await withVersions(1);
    const { ino } = statSync(at("versions/v1"));
    await store.write(versionOf(1));
    expect(statSync(at("versions/v1")).ino).toBe(ino);
    const other = { ...versionOf(5), id: "v1" };
    await store.write(other);
    expect(await store.read("v1")).toEqual(other);
    expect(readdirSync(at("set-aside"))).toHaveLength(1);
  });

  it("are rejected if their id or their hash is wrong", async () => {
    const { store } = await open();
    await expect(store.write(versionOf(1, { id: "v0" }))).rejects.toThrow('"v0" can\'t be written');
    await expect(store.write(versionOf(1, { id: "../v1" }))).rejects.toThrow("can't be written");
    await expect(store.write(versionOf(1, { hash: versionOf(2).hash }))).rejects.toThrow("the hash of v1");
    expect([...readdirSync(at("versions")), ...readdirSync(at("aside"))]).toEqual([]);
  });

  it("are deleted, except the active one and the last good one", async () => {
    const store = await used();
    await store.write(versionOf(4));
    await store.prune(new Set(["v4"]));
    expect((await open()).versions).toEqual(["v1", "v2", "v4"]);
    await expect(store.activate("v3")).rejects.toThrow("v3 is not in");
  });
});

describe("the active version", () => {
  it("is v0 at first, and the activated version afterwards", async () => {
    const { store } = await open();
    expect([store.active(), store.lastGood(), store.isGood()]).toEqual(["v0", "v0", true]);
    await store.write(versionOf(1));
    await store.activate("v1");
    for (const each of [store, (await open()).store]) {
      expect([each.active(), each.lastGood(), each.isGood()]).toEqual(["v1", "v0", false]);
    }
    const again = lab.opened;
    await again.markGood("v1");
    await again.write(versionOf(2));
    await again.activate("v2");
    expect([again.active(), again.lastGood(), again.isGood()]).toEqual(["v2", "v1", false]);
    await again.activate("v0");
    expect([again.active(), again.lastGood(), again.isGood()]).toEqual(["v0", "v1", true]);
  });

  it("has a bounded history, which gives the last good version", async () => {
    const store = await withVersions(1, 2, 3, 4, 5, 6);
    await store.activate("v1");
    await store.markGood("v1");
    for (const id of ["v2", "v3", "v4"]) await store.activate(id);
    expect(store.lastGood()).toBe("v1");
    await store.activate("v5");
    expect(store.lastGood()).toBe("v0");
    expect(JSON.parse(readFileSync(at("status.json"), "utf8")).content.history).toHaveLength(4);
  });
});

describe("a crash loop", () => {
  it("is three starts that did not prove themselves", async () => {
    const start = async () => await (await open()).store.beginStart();
    expect([await start(), await start()].map(({ isCrashLoop }) => isCrashLoop)).toEqual([false, false]);
    expect(await start()).toEqual({ isCrashLoop: true, starts: 3 });
    await lab.opened.markStarted();
    expect(await start()).toEqual({ isCrashLoop: false, starts: 1 });
  });

  it("counts only starts of the active version", async () => {
    const { store } = await open();
    await store.write(versionOf(1));
    for (const _ of [1, 2]) await store.beginStart();
    await store.activate("v1");
    expect(await store.beginStart()).toEqual({ isCrashLoop: false, starts: 1 });
  });
});

it("deletes the unfinished files of a killed process", async () => {
  await used();
  mkdirSync(at("aside/half"));
  writeFileSync(at("aside/half/bundle.cjs"), "");
  writeFileSync(at("aside/other"), "");
  expect((await open()).setAside).toEqual([]);
  expect(readdirSync(at("aside"))).toEqual([]);
});

it("belongs to one process until that ends", async () => {
  const module = join(import.meta.dirname, "../../../../components/seed-agent/program/code-store/disk.ts");
  const code = `
    const { DiskCodeStore } = await import(${JSON.stringify(module)});
    await new DiskCodeStore({ folder: ${JSON.stringify(at())} }).open();
    console.log("open");
    setInterval(() => {}, 1000);`;
  const other = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(other.stdout, "data");
    await expect(open()).rejects.toThrow(/another process uses .*code.*SEED_CODE_DIR/);
  } finally {
    other.kill("SIGKILL");
    await once(other, "exit");
  }
  expect((await open()).versions).toEqual([]);
});

it("loses nothing while the disk is full", async (context) => {
  const reason = noTinyDisk();
  if (reason !== undefined) return context.skip(reason);
  expect(runOnTinyDisk("full-code-store-program.ts", lab.folder)).toEqual({
    before: "v1",
    write: "DiskFull",
    // It replaces the former status, so it takes no more space.
    activate: "done",
    check: "DiskFull",
    active: "v2",
    start: 1,
    versions: ["v1", "v2"],
    setAside: [],
    leftovers: [],
    after: ["v3", "v1"],
  });
});
