import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
    print([readJsonOrNull === again.readJsonOrNull, typeof require("./scripts/stack/setup/cache.mjs").keyOf,
      (await import("fs")).default === (await import("node:fs")).default]);`;
  expect(run(code)).toEqual([true, "function", true]);
});

it("leaves a user's modules to Node: symlinks, and packages of their own", () => {
  const folder = mkdtempSync(join(tmpdir(), "imports-"));
  // The path of this checkout needs escapes in a URL.
  const checkout = join(folder, "a b#c%41ü");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const makePackage = (at: string, text: string) => {
    write(join(at, "node_modules/pack/package.json"), '{"type":"module","exports":"./index.js"}');
    write(join(at, "node_modules/pack/index.js"), `export { default } from "./text.js";`);
    write(join(at, "node_modules/pack/text.js"), `export default ${JSON.stringify(text)};`);
  };
  try {
    const mine = join(checkout, "changelings/mine");
    makePackage(checkout, "our package");
    makePackage(mine, "their package");
    const hook = write(join(checkout, "components/lib/quick-imports.ts"), readFileSync(new URL(quickImports), "utf8"));
    const importing = 'import text from "pack"; export { linked } from "./linked.js"; export const pack = text;';
    const ours = write(join(checkout, "components/ours.ts"), importing);
    write(join(checkout, "components/linked.js"), "export const linked = 0;");
    const theirs = write(join(mine, "theirs.js"), importing);
    write(join(folder, "real/linked.js"), 'export { linked } from "./beside.js";');
    write(join(folder, "real/beside.js"), "export const linked = 1;");
    symlinkSync(join(folder, "real/linked.js"), join(mine, "linked.js"));
    for (const at of [checkout, join(folder, "real")]) write(join(at, "package.json"), '{"type":"module"}');
    const code = `const modules = await Promise.all(process.argv.slice(1).map((each) => import(each)));
      process.stdout.write(JSON.stringify(modules.map(({ pack, linked }) => [pack, linked])));`;
    const [hookUrl = "", ...urls] = [hook, ours, theirs].map((path) => pathToFileURL(path).href);
    const args = ["--import", hookUrl, "--input-type=module", "--eval", code, ...urls];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", env: compileCache });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([
      ["our package", 0],
      ["their package", 1],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
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
