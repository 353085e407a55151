import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { shareWithNextClone } from "../../../../../scripts/stack/setup/packages.ts";
import { packagesKey, packagesStamp } from "../../../../../scripts/stack/setup/toolchain.mjs";

const file = "typescript/package.json";
let cache: string;
let copy: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "packages-"));
  vi.stubEnv("CHANGELINGS_CACHE", cache);
  copy = join(cache, "packages", packagesKey(), "node_modules");
});

afterEach(() => rmSync(cache, { recursive: true }));

test("a file of node_modules replaces the one in the copy for the next clone", () => {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  writeFileSync(join(copy, file), "of another clone");
  shareWithNextClone(file);
  expect(readFileSync(join(copy, file), "utf8")).toBe(readFileSync(join(dirname(packagesStamp), file), "utf8"));
  expect(readdirSync(dirname(join(copy, file)))).toEqual(["package.json"]);
});

test("nothing is added where there is no copy", () => {
  shareWithNextClone(file);
  expect(readdirSync(cache)).toEqual([]);
});

test("a copy that can't be written is not an error", () => {
  mkdirSync(join(copy, file), { recursive: true });
  shareWithNextClone(file);
  expect(readdirSync(dirname(join(copy, file)))).toEqual(["package.json"]);
});
