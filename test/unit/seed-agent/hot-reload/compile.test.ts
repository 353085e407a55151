import { expect, test } from "vitest";
import { compile } from "../../../../components/seed-agent/program/hot-reload/compile.ts";
import { firstVersion } from "../../../../components/seed-agent/program/hot-reload/first-version.ts";

const sources = {
  "handle.ts": 'import { word } from "./lib/word.ts";\nexport default () => ({ status: 200, body: word });\n',
  "lib/word.ts": 'export const word = "Grüße";\n',
  "b.test.ts": 'import { test } from "seed";\ntest("b", () => {});\n',
  "a.test.ts": 'import "./lib/word.ts";\nimport { test } from "seed";\ntest("a", () => {});\n',
};

test("the same sources give the same bytes, in any order", async () => {
  const reversed = Object.fromEntries(Object.entries(sources).reverse());
  const [one, other] = [await compile(sources), await compile(reversed)];
  expect(one).toEqual(other);
  expect(one).toMatchObject({ built: { hash: expect.stringMatching(/^[0-9a-f]{64}$/) } });
});

test("bundles contain their imports, and nothing of this machine", async () => {
  const compiled = await compile(sources);
  if (!("built" in compiled)) throw new Error("not compiled");
  const { bundle, testBundle = "" } = compiled.built;
  expect(bundle).toContain("Grüße");
  expect(bundle).not.toContain("seed");
  expect(testBundle.indexOf('test)("a"')).toBeLessThan(testBundle.indexOf('test)("b"'));
  expect(bundle + testBundle).not.toContain(process.cwd());
});

test("a missing module is reported with its line", async () => {
  const compiled = await compile({ "handle.ts": '\nimport "./none.ts";\nimport "node:fs";\nexport default 1;' });
  expect(compiled).toEqual({
    diagnostics: [
      { file: "handle.ts", line: 2, message: 'there is no module "./none.ts"' },
      { file: "handle.ts", line: 3, message: 'there is no module "node:fs"' },
    ],
  });
});

test("names of an object's prototype are not files", async () => {
  const compiled = await compile({ "handle.ts": 'import "./constructor";\nimport "./__proto__";\nexport default 1;' });
  expect("diagnostics" in compiled && compiled.diagnostics).toHaveLength(2);
});

test("every node has the same first version", async () => {
  const version = await firstVersion();
  expect(version).toEqual(await firstVersion());
  expect(version).toMatchObject({ id: "v0", author: "seed-agent", testBundle: expect.any(String) });
});
