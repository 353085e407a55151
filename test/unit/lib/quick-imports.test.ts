import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { compileCache } from "../../support/compile-cache.ts";

const root = join(import.meta.dirname, "../../..");
const quickImports = pathToFileURL(join(root, "components/lib/quick-imports.ts")).href;

/** Runs code as a module in the project's folder, and returns what it gives to `print`. */
function run(code: string, options: readonly string[] = []): unknown {
  const program = `const print = (value) => process.stdout.write(JSON.stringify(value) ?? "");${code}`;
  const args = ["--import", quickImports, ...options, "--input-type=module", "--eval", program];
  const env = { PATH: process.env["PATH"], ...compileCache };
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", env });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

it("loads zod without its messages in all languages, for our modules and for packages", () => {
  // A release of zod that loads them from elsewhere fails here. The locale that a program names is loaded.
  const code = `
    const [mini, core, { default: english }] = await Promise.all(
      ["zod/mini", "zod/v4/core", "zod/v4/locales/en.js"].map((name) => import(name)));
    const text = () => mini.safeParse(mini.string(), 1).error.issues[0].message;
    const before = text();
    mini.config(english());
    print([Object.keys(mini.locales), Object.keys(core.locales), before, text()]);`;
  expect(run(code)).toEqual([[], [], "Invalid input", "Invalid input: expected string, received number"]);
});

it("resolves the same modules as Node, once each, and leaves the others to it", () => {
  const code = `
    const { readJsonOrNull } = await import("./components/host/files.ts");
    const again = await import(new URL("components/host/files.ts", "file://" + process.cwd() + "/").href);
    const { createRequire } = await import("node:module");
    const require = createRequire(process.cwd() + "/index.ts");
    print([readJsonOrNull === again.readJsonOrNull, typeof require("./scripts/setup/cache.mjs").keyOf,
      (await import("fs")).default === (await import("node:fs")).default]);`;
  expect(run(code)).toEqual([true, "function", true]);
});

it("reports a missing module by its path", () => {
  const folder = mkdtempSync(join(tmpdir(), "imports-"));
  const program = join(folder, "program.mjs");
  writeFileSync(program, 'await import("./missing.js");');
  const { status, stderr } = spawnSync(process.execPath, ["--import", quickImports, program], { encoding: "utf8" });
  rmSync(folder, { recursive: true });
  expect(status).toBe(1);
  expect(stderr).toContain(join(folder, "missing.js"));
});
