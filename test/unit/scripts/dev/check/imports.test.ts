import { describe, expect, it } from "vitest";
import { importCycles, upwardImports } from "../../../../../scripts/dev/check/imports.ts";

const imports = (of: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(of));

describe("import cycles", () => {
  it("are found through other modules, each group once", () => {
    const found = importCycles(imports({ a: ["b"], b: ["c"], c: ["a", "d"], d: ["e"], e: ["d"], f: ["a", "e"] }));
    expect(found.map((cycle) => cycle.sort())).toEqual([
      ["d", "e"],
      ["a", "b", "c"],
    ]);
  });

  it("are none where modules only share what they import", () => {
    expect(importCycles(imports({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }))).toEqual([]);
  });

  it("include a module that imports itself", () => {
    expect(importCycles(imports({ a: ["a"] }))).toEqual([["a"]]);
  });
});

describe("imports go down", () => {
  it.each([
    ["components/lib/text.ts", "components/host/files.ts"],
    ["components/fleet/load.ts", "components/cron/options.ts"],
    ["components/modal/rpc.ts", "components/command.ts"],
    ["components/cron/kind.ts", "components/kinds.ts"],
    ["components/cron/kind.ts", "scripts/stack/stack.ts"],
  ])("%s may not import %s", (file, imported) => {
    expect(upwardImports(imports({ [file]: [imported] }))).toEqual([`${file} imports ${imported}, which is above it`]);
  });

  it("and not from one kind to another", () => {
    expect(upwardImports(imports({ "components/web/kind.ts": ["components/cron/zone.ts"] }))).toEqual([
      "components/web/kind.ts imports components/cron/zone.ts, which belongs to another kind",
    ]);
  });

  it.each([
    ["index.ts", "components/kinds.ts"],
    ["components/kinds.ts", "components/cron/kind.ts"],
    ["components/cron/deploy.ts", "components/command.ts"],
    ["components/cron/deploy.ts", "components/cron/kind.ts"],
    ["scripts/dev/bench/first-resource.ts", "index.ts"],
  ])("%s may import %s", (file, imported) => {
    expect(upwardImports(imports({ [file]: [imported] }))).toEqual([]);
  });
});
