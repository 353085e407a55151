import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder, checkout } from "../../../../scripts/stack/setup/cache.mjs";
import { ownPulumiHome } from "../../../../scripts/stack/setup/toolchain.mjs";
import { compileCache } from "../../../support/compile-cache.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "test-command-"));
  symlinkSync(join(checkout, "node_modules"), join(folder, "node_modules"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What `npm test -- ARGUMENTS` does with test files of these bodies. */
function run(files: Record<string, string>): { status: number | null; lines: string[] } {
  const head = 'import { beforeAll, describe, expect, test } from "vitest";\n';
  for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, `${name}.test.ts`), head + body);
  const { status, stdout } = spawnSync(process.execPath, [join(checkout, "scripts/dev/test.ts"), "--root", folder], {
    encoding: "utf8",
    // A run inside of a run: it must not take itself for the outer one's worker.
    env: {
      ...{ PATH: process.env.PATH, HOME: folder, CI: "true", CHANGELINGS_CACHE: cacheFolder() },
      // By it a run finds its toolchain, instead of looking for each part anew.
      PULUMI_HOME: ownPulumiHome(),
      // Its tests don't call mngr.
      COLD_MNGR: "1",
      ...compileCache,
    },
  });
  return { status, lines: stdout.trimEnd().split("\n") };
}

const pass = 'test("passes", () => expect(1).toBe(1));\n';

test("all that pass end with their number and 0", () => {
  const { status, lines } = run({ a: pass, b: pass });
  expect(lines.at(-1)).toBe("2 passed, 0 failed, 0 skipped");
  expect(status).toBe(0);
});

test("a skipped one is listed with its reason", () => {
  const { status, lines } = run({
    a: `${pass}test("one", ({ skip }) => skip("no systemd here"));\ntest.skip("two", () => {});\n`,
  });
  expect(lines.slice(-3)).toEqual([
    "skipped: a.test.ts > one: no systemd here",
    "skipped: a.test.ts > two: no reason is given",
    "1 passed, 0 failed, 2 skipped",
  ]);
  expect(status).toBe(0);
});

test.each([
  ["a test", 'test("fails", () => expect(1).toBe(2));', "1 passed, 1 failed, 0 skipped"],
  ["a file that can't be loaded", 'import "./nowhere.ts";', "0 passed, 1 failed, 0 skipped"],
  [
    "a hook",
    'describe("group", () => { beforeAll(() => { throw new Error("no"); }); test("never", () => {}); });',
    "1 passed, 1 failed, 1 skipped",
  ],
  [
    "something outside of all tests",
    'setTimeout(() => { throw new Error("late"); }, 0);',
    "1 passed, 1 failed, 0 skipped",
  ],
])("a failure of %s is counted and ends with 1", (_name, body, summary) => {
  const isWhole = summary.startsWith("0");
  const { status, lines } = run({ a: isWhole ? `${body}\n${pass}` : `${pass}${body}\n` });
  expect(lines.at(-1)).toBe(summary);
  expect(status).toBe(1);
});

test("no test at all is a failure", () => {
  const { status, lines } = run({});
  expect(lines.at(-1)).toBe("0 passed, 0 failed, 0 skipped");
  expect(status).toBe(1);
});
