import { expect, test } from "vitest";
import { sharedReplacements } from "../../../../../scripts/dev/check/shared-modules.ts";

test("only files with modules of their own may replace one", () => {
  const call = ["vi", "mock('./a.ts')"].join(".");
  const texts: Record<string, string> = {
    "test/unit/a.test.ts": `import "./a.ts";\n${call};\n`,
    "test/unit/b.isolated.test.ts": call,
    "test/unit/c.long.test.ts": call,
    "test/engine/d.test.ts": call,
    "test/unit/e.test.ts": "vi.fn();",
  };
  expect(sharedReplacements(Object.keys(texts), (file) => texts[file] ?? "")).toEqual([
    "test/unit/a.test.ts:2: replaces a module that other tests share; name the file *.isolated.test.ts",
  ]);
});
