import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { checkout, keyOf } from "../../../../../scripts/stack/setup/cache.mjs";

test("a key changes with the contents and names of its sources, not with their place", () => {
  const folder = mkdtempSync(join(tmpdir(), "key-"));
  const key = (place: string) => keyOf({ paths: [relative(checkout, join(folder, place, "sources"))] });
  try {
    for (const place of ["here", "there"]) {
      mkdirSync(join(folder, place, "sources/part"), { recursive: true });
      writeFileSync(join(folder, place, "sources/part/main.go"), "package main\n");
    }
    expect(key("there")).toBe(key("here"));
    writeFileSync(join(folder, "there/sources/part/main.go"), "package other\n");
    const changed = key("there");
    expect(changed).not.toBe(key("here"));
    renameSync(join(folder, "there/sources/part"), join(folder, "there/sources/other"));
    expect(key("there")).not.toBe(changed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
