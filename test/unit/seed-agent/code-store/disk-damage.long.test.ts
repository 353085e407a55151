import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sealed } from "../../../../components/seed-agent/program/code-store/sealed.ts";
import { versionOf } from "../../../support/code-versions.ts";
import { codeStoreLab } from "../../../support/seed-agent/code-store-lab.ts";

const lab = codeStoreLab();
const { at, open, used } = lab;

describe("damaged files are moved to set-aside and reported", () => {
  const outside = () => join(lab.folder, "outside");
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
    await lab.opened.close();
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
    expect(await lab.opened.read("v2")).toEqual(versionOf(2));
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
    await lab.opened.close();
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
