import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { mngrVersion } from "../../../components/mngr/client.ts";
import { toolsFolder } from "../../../components/sandbox/image/tools.ts";
import { cacheFolder, keyOf } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { installMngr } from "./mngr.ts";
import { SetupError } from "./progress.mjs";
import { findPython } from "./python.ts";
import { which } from "./toolchain.mjs";
import { installPackagesOfSystem, outputOf } from "./tools.ts";

/** What mngr and its hooks of an agent run, besides git and what a system always has. */
const needs = { tmux: "tmux", jq: "jq", ps: "procps" } as const;

export interface SandboxMngr {
  /** The part's folder: a `node_modules/.bin` with the program, and places for the mounts. */
  readonly folder: string;
  /** This machine's Python and mngr, by their paths in a sandbox. */
  readonly mounts: Readonly<Record<string, string>>;
}

const inSandbox = `${toolsFolder}/mngr`;

/** Makes the part of sandboxes with the mngr that setup installs for this project. @throws SetupError */
export async function setUpSandboxMngr(): Promise<SandboxMngr> {
  const missing = Object.entries(needs).flatMap(([program, name]) => (which(program) === null ? [name] : []));
  if (missing.length > 0) {
    await installPackagesOfSystem(missing, `Sandboxes with runtime = "mngr" need ${missing.join(", ")}, not found`);
  }
  const place = placeOnPath() ?? (await installedPlace());
  const isOfSystem = place.prefix === "/usr" || place.prefix.startsWith("/usr/");
  const prefix = isOfSystem ? place.prefix : `${inSandbox}/python`;
  const text = launcher(prefix, place.name);
  const folder = join(cacheFolder(), "sandbox-tools", `mngr-${keyOf({ texts: [text] })}`);
  await installFolder(folder, async (temporary) => {
    // The mounts need folders to be mounted at, and a part is mounted read-only.
    for (const path of ["node_modules/.bin", "python", "packages"]) {
      mkdirSync(join(temporary, path), { recursive: true });
    }
    writeFileSync(join(temporary, "node_modules/.bin/mngr"), text, { mode: 0o755 });
  });
  return {
    folder,
    mounts: {
      [`${inSandbox}/packages`]: place.packages,
      ...(isOfSystem ? {} : { [`${inSandbox}/python`]: place.prefix }),
    },
  };
}

interface Place {
  /** The installation that the environment was made from. */
  readonly prefix: string;
  /** `python3.12` */
  readonly name: string;
  /** The environment's packages. */
  readonly packages: string;
}

/** The environment of the mngr that this program's commands use. Their environment may not reach setup's Python. */
function placeOnPath(): Place | undefined {
  const program = which("mngr");
  if (program === null) return undefined;
  const python = join(dirname(realpathSync(program)), "python");
  const version = "import importlib.metadata; print(importlib.metadata.version('imbue-mngr'))";
  return outputOf(python, ["-c", version]) === mngrVersion ? placeOf(python) : undefined;
}

async function installedPlace(): Promise<Place> {
  const { python } = await installMngr(await findPython());
  return placeOf(python);
}

function placeOf(python: string): Place {
  const code =
    "import sys, sysconfig; print(sys.base_prefix, 'python%d.%d' % sys.version_info[:2], sysconfig.get_path('purelib'), sep='\\n')";
  const [prefix, name, packages] = (outputOf(python, ["-c", code]) ?? "").split("\n");
  if (prefix === undefined || name === undefined || packages === undefined) {
    throw new SetupError(`${python} can't be run`, { remedy: "Remove its folder, and run this again." });
  }
  return { prefix, name, packages };
}

/**
 * In a sandbox neither the environment nor its Python has the path that it was installed for. The library path is for
 * Python alone: an agent has the sandbox's own programs.
 */
function launcher(prefix: string, name: string): string {
  const start = [
    "import os, site, sys",
    'os.environ.pop("LD_LIBRARY_PATH", None)',
    `site.addsitedir("${inSandbox}/packages")`,
    'sys.argv[0] = "mngr"',
    "from imbue.mngr.main import cli",
    "sys.exit(cli())",
  ];
  return `#!/bin/sh
# -I: nothing of the sandbox's environment or of its working folder is imported.
LD_LIBRARY_PATH=${prefix}/lib exec ${prefix}/bin/${name} -I -c '${start.join("\n")}' "$@"
`;
}
