import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { namesIn, readableNamesIn } from "../../../components/host/files.ts";

const folder = mkdtempSync(join(tmpdir(), "names-"));
afterAll(() => rmSync(folder, { recursive: true }));

mkdirSync(join(folder, "inner"));
writeFileSync(join(folder, "file"), "");

test("both name the entries of a folder, and none of a missing one", () => {
  for (const names of [namesIn, readableNamesIn]) {
    expect(names(folder).sort()).toEqual(["file", "inner"]);
    expect(names(join(folder, "inner"))).toEqual([]);
    expect(names(join(folder, "missing"))).toEqual([]);
  }
});

test("only one hides that a folder can't be read", () => {
  expect(() => namesIn(join(folder, "file"))).toThrow("ENOTDIR");
  expect(readableNamesIn(join(folder, "file"))).toEqual([]);
});
