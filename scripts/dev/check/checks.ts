import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { findActionlint } from "../../stack/setup/actionlint.ts";
import { checkout } from "../../stack/setup/cache.mjs";
import { shareWithNextClone } from "../../stack/setup/packages.ts";
import { duration } from "../../stack/setup/progress.mjs";
import { findShellcheck } from "../../stack/setup/shellcheck.ts";
import { vacuousExpectations } from "./expectations.ts";
import { importCycles, importsOf, upwardImports } from "./imports.ts";
import { namedKinds } from "./kind-names.ts";
import { sharedReplacements } from "./shared-modules.ts";

interface Finished {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs all checks, prints their output, and returns the names of those that passed and of those that failed. */
export async function runChecks(): Promise<{ passed: string[]; failed: string[] }> {
  const checks: Record<string, () => Promise<Finished>> = {
    types,
    biome: () => node("node_modules/@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]),
    imports,
    kinds: kindNames,
    expectations,
    shellcheck,
    workflows,
  };
  if (existsSync(join(checkout, "scripts/dev/docs.ts")))
    checks["docs"] = () => node("scripts/dev/docs.ts", ["--check"]);
  const passed: string[] = [];
  const failed: string[] = [];
  const all = Object.entries(checks).map(async ([name, check]) => {
    const start = Date.now();
    const { ok, output } = await check();
    (ok ? passed : failed).push(name);
    const text = ok ? "" : `${output.trimEnd()}\n`;
    process.stdout.write(`check ${name}: ${ok ? "passed" : "failed"} in ${duration(Date.now() - start)}\n${text}`);
  });
  await Promise.all(all);
  return { passed, failed };
}

/** tsc keeps what it has found of each file's content in node_modules. A new clone begins with what this one leaves. */
async function types(): Promise<Finished> {
  const end = await node("node_modules/typescript/bin/tsc", ["-p", "."]);
  if (end.ok) shareWithNextClone(".cache/changelings.tsbuildinfo");
  return end;
}

/** Modules import downwards and without cycles; see `imports.ts`. */
async function imports(): Promise<Finished> {
  const found = importsOf(checkout, await modules());
  const cycles = importCycles(found).map((cycle) => `these modules import each other: ${cycle.join(", ")}`);
  const wrong = [...cycles, ...upwardImports(found)];
  return { ok: wrong.length === 0, output: wrong.join("\n") };
}

/** A kind is named only in its folders and the registry; see `kind-names.ts`. */
async function kindNames(): Promise<Finished> {
  const { kinds } = await import("../../../components/kinds.ts");
  const wrong = namedKinds(checkout, await modules(), Object.keys(kinds));
  return { ok: wrong.length === 0, output: wrong.join("\n") };
}

async function modules(): Promise<string[]> {
  const { output } = await finish("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  return output
    .split("\0")
    .filter((file) => /^(index|(components|scripts)\/.*)\.(ts|mjs)$/.test(file) && existsSync(join(checkout, file)));
}

/** Tests can fail, and don't depend on their order; see `expectations.ts` and `shared-modules.ts`. */
async function expectations(): Promise<Finished> {
  const { output } = await finish("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "test"]);
  const files = output.split("\0").filter((file) => file.endsWith(".ts") && existsSync(join(checkout, file)));
  const wrong = [
    ...vacuousExpectations(checkout, files),
    ...sharedReplacements(files, (file) => readFileSync(join(checkout, file), "utf8")),
  ];
  return { ok: wrong.length === 0, output: wrong.join("\n") };
}

async function shellcheck(): Promise<Finished> {
  const { output } = await finish("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  const scripts = output.split("\0").filter(isShellScript);
  return scripts.length === 0 ? { ok: true, output: "" } : finish(await findShellcheck(), scripts);
}

/** Checks GitHub's workflow files and the shell in them. */
async function workflows(): Promise<Finished> {
  const files = readdirSync(join(checkout, ".github/workflows")).map((name) => `.github/workflows/${name}`);
  const [actionlint, shell] = await Promise.all([findActionlint(), findShellcheck()]);
  return finish(actionlint, ["-no-color", "-shellcheck", shell, "-pyflakes", "", ...files]);
}

function isShellScript(file: string): boolean {
  const path = join(checkout, file);
  if (file === "" || !statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  if (file.endsWith(".sh")) return true;
  const isNamedOtherwise = /\.[a-z]+$/.test(file);
  return !isNamedOtherwise && /^#!.*\b(ba|da)?sh\b/.test(readFileSync(path, "utf8").split("\n", 1)[0] ?? "");
}

function node(script: string, args: readonly string[]): Promise<Finished> {
  return finish(process.execPath, [join(checkout, script), ...args]);
}

function finish(program: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.once("error", reject);
    child.once("close", (code) => resolve({ ok: code === 0, output }));
  });
}
