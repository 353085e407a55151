import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskCodeStore } from "../../../../components/seed-agent/program/code-store/disk.ts";
import { sealed } from "../../../../components/seed-agent/program/code-store/sealed.ts";
import { versionOf } from "../../../support/code-versions.ts";
import { noTinyDisk, runOnTinyDisk } from "../../../support/full-disk.ts";

let folder = "";
let opened: DiskCodeStore[] = [];
const at = (...names: string[]): string => join(folder, "code", ...names);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "code-store-"));
});
afterEach(async () => {
  for (const store of opened) await store.close();
  opened = [];
  rmSync(folder, { recursive: true, force: true });
});

/** As after a restart. */
async function open() {
  for (const store of opened) await store.close();
  const store = new DiskCodeStore({ folder: at(), lockMilliseconds: 200, history: 4 });
  opened = [store];
  return { store, ...(await store.open()) };
}

async function withVersions(...numbers: number[]) {
  const { store } = await open();
  for (const number of numbers) await store.write(versionOf(number));
  return store;
}

/** v1 is good, v2 is active and good, v3 is there. */
async function used() {
  const store = await withVersions(1, 2, 3);
  for (const id of ["v1", "v2"]) {
    await store.activate(id);
    await store.markGood(id);
  }
  return store;
}

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
    expect(existsSync(join(folder, "etc"))).toBe(false);
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
    const again = opened[0] as DiskCodeStore;
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
    await opened[0]?.markStarted();
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

describe("damaged files are moved to set-aside and reported", () => {
  const outside = () => join(folder, "outside");
  const damages: readonly (readonly [string, () => void, string])[] = [
    ["a truncated bundle", () => truncateSync(at("versions/v2/bundle.cjs"), 5), "bundle.cjs: its checksum is wrong"],
    ["a changed bundle", () => appendFileSync(at("versions/v2/bundle.cjs"), " "), "bundle.cjs: its checksum is wrong"],
    ["an empty description", () => truncateSync(at("versions/v2/version.json"), 0), "version.json: it is empty"],
    ["half a description", () => truncateSync(at("versions/v2/version.json"), 40), "version.json: it is not JSON"],
    [
      "a changed description",
      () => {
        const text = readFileSync(at("versions/v2/version.json"), "utf8");
        writeFileSync(at("versions/v2/version.json"), text.replace("Number 2", "Number 3"));
      },
      "version.json: its checksum is wrong",
    ],
    [
      "a description without a checksum",
      () => writeFileSync(at("versions/v2/version.json"), '{"id":"v2"}'),
      "version.json: it has no checksum",
    ],
    [
      "a description of another form",
      () => writeFileSync(at("versions/v2/version.json"), sealed({ id: "v2" })),
      "version.json: it has an unknown form",
    ],
    ["a missing file", () => rmSync(at("versions/v2/tests.cjs")), "tests.cjs: it is missing"],
    [
      "an empty folder",
      () => {
        rmSync(at("versions/v2"), { recursive: true });
        mkdirSync(at("versions/v2"));
      },
      "is missing",
    ],
    [
      "another version's folder",
      () => {
        rmSync(at("versions/v2"), { recursive: true });
        cpSync(at("versions/v1"), at("versions/v2"), { recursive: true });
      },
      "version.json: it belongs to v1",
    ],
    [
      "a folder in place of a file",
      () => {
        rmSync(at("versions/v2/bundle.cjs"));
        mkdirSync(at("versions/v2/bundle.cjs"));
      },
      "bundle.cjs: it is not a file",
    ],
    [
      "a file in place of the folder",
      () => {
        rmSync(at("versions/v2"), { recursive: true });
        writeFileSync(at("versions/v2"), "");
      },
      "it is not a folder",
    ],
    [
      "a link to another folder",
      () => {
        renameSync(at("versions/v2"), outside());
        symlinkSync(outside(), at("versions/v2"));
      },
      "it is not a folder",
    ],
    [
      "a link to another file",
      () => {
        renameSync(at("versions/v2/bundle.cjs"), outside());
        symlinkSync(outside(), at("versions/v2/bundle.cjs"));
      },
      "bundle.cjs: it is a symbolic link",
    ],
  ];

  it.each(damages)("%s", async (_what, damage, reason) => {
    await used();
    await opened[0]?.close();
    damage();
    const outsideBefore = existsSync(outside());
    const { store, versions, setAside } = await open();
    expect(setAside).toEqual([{ name: "v2", reason: expect.stringContaining(reason) }]);
    expect(versions).toEqual(["v1", "v3"]);
    expect([store.active(), store.isGood()]).toEqual(["v1", true]);
    expect(readdirSync(at("set-aside"))).toHaveLength(1);
    expect(existsSync(outside())).toBe(outsideBefore);
    // The store of all nodes has it, and it can be written again.
    await store.write(versionOf(2));
    await store.activate("v2");
    expect((await open()).setAside).toEqual([]);
    expect(await opened[0]?.read("v2")).toEqual(versionOf(2));
  });

  it.each(damages)("%s, while it runs", async (_what, damage, reason) => {
    const store = await used();
    damage();
    await expect(store.check()).rejects.toThrow(reason);
    expect(await store.read("v2")).toBeUndefined();
    expect(readdirSync(at("set-aside"))).toHaveLength(1);
    await store.write(versionOf(2));
    await store.check();
  });

  it("unknown files among the versions, but none elsewhere", async () => {
    await used();
    for (const name of ["v01", "v0", "V4", "v4.tmp", "notes.txt"]) writeFileSync(at("versions", name), "");
    mkdirSync(at("lost+found"));
    writeFileSync(at("versions/v1/.DS_Store"), "");
    const { versions, setAside } = await open();
    expect(versions).toEqual(["v1", "v2", "v3"]);
    expect(setAside.map(({ name }) => name).toSorted()).toEqual(["V4", "notes.txt", "v0", "v01", "v4.tmp"]);
    expect(existsSync(at("lost+found"))).toBe(true);
  });

  it("only the newest ten are kept", async () => {
    await used();
    for (let count = 0; count < 12; count += 1) writeFileSync(at("versions", `foreign-${count}`), "");
    await open();
    expect(readdirSync(at("set-aside"))).toHaveLength(10);
  });

  it("the status, whose former content is used instead", async () => {
    await used();
    for (const damage of ["", "{", sealed({ active: 2 })]) {
      writeFileSync(at("status.json"), damage);
      const { store, setAside } = await open();
      expect(setAside.map(({ name }) => name)).toEqual(["status.json"]);
      expect([store.active(), store.isGood()]).toEqual(["v2", false]);
      await store.markGood("v2");
    }
    for (const name of ["status.json", "status.former.json"]) writeFileSync(at(name), "{");
    const { store, setAside, versions } = await open();
    expect(setAside.map(({ name }) => name)).toEqual(["status.json", "status.former.json"]);
    expect([store.active(), versions]).toEqual(["v0", ["v1", "v2", "v3"]]);
  });

  it("a status that names a missing version, or a path", async () => {
    await used();
    for (const active of ["v9", "../outside", "", "__proto__"]) {
      const status = { active, history: [{ version: active, at: "" }], good: [active], starts: 0 };
      writeFileSync(at("status.json"), sealed(status));
      expect((await open()).store.active()).toBe("v0");
    }
  });

  it("links instead of its folders, whose targets stay untouched", async () => {
    await used();
    await opened[0]?.close();
    mkdirSync(outside());
    writeFileSync(join(outside(), "kept"), "");
    for (const name of ["aside", "set-aside", "versions"]) {
      rmSync(at(name), { recursive: true });
      symlinkSync(outside(), at(name));
    }
    const { store, setAside, versions } = await open();
    expect(setAside.map(({ name }) => name)).toEqual(["set-aside", "aside", "versions"]);
    expect([store.active(), versions]).toEqual(["v0", []]);
    await store.write(versionOf(1));
    expect(readdirSync(outside())).toEqual(["kept"]);
  });

  it("files that can't be read", async ({ skip }) => {
    if (process.getuid?.() === 0) skip("root may read every file");
    await used();
    chmodSync(at("versions/v2/bundle.cjs"), 0);
    expect((await open()).setAside).toEqual([{ name: "v2", reason: "bundle.cjs: it can't be read (EACCES)" }]);
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
  expect(runOnTinyDisk("full-code-store-program.ts", folder)).toEqual({
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
