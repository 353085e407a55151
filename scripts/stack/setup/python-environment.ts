import { existsSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { cacheFolder, checkout, keyOf, platform } from "./cache.mjs";
import { installInPlace, isComplete } from "./install.mjs";
import { SetupError, say, step } from "./progress.mjs";
import type { Python } from "./python.ts";
import { run } from "./run.mjs";
import { outputOf } from "./tools.ts";
import { uvEnvironment } from "./uv-environment.ts";

const REMEDY = "Check that pip can reach its package index, then try again.";

/**
 * Creates an environment in the cache from a lock file, and checks the hash of each file.
 *
 * @param name of the lock: `requirements<name>.txt`
 * @param title for the progress line
 * @returns the folder of the environment
 */
export async function installPythonLock(name: string, title: string, python: Python): Promise<string> {
  const install = async (folder: string, lock: string, log: string): Promise<void> => {
    const uv = await installUv(python);
    await step(title, async () => {
      // Without pip, which takes longer than everything else.
      await run([python.path, "-m", "venv", "--without-pip", folder], { log });
      await installPackages({ uv, folder, lock, log });
    });
  };
  return installEnvironment(name, python, install);
}

/** Creates a folder for a lock file if it does not exist yet. */
async function installEnvironment(
  name: string,
  python: Python,
  make: (folder: string, lock: string, log: string) => Promise<void>,
): Promise<string> {
  const lock = `scripts/stack/setup/requirements${name}.txt`;
  const folder = join(cacheFolder(), `python${name}`, keyOf({ texts: [platform, python.version], paths: [lock] }));
  // It links to the Python that created it, which may have been uninstalled since.
  if (isComplete(folder) && !existsSync(join(folder, "bin/python"))) rmSync(folder, { recursive: true, force: true });
  await installInPlace(folder, () => make(folder, join(checkout, lock), `python${name}`));
  return folder;
}

const pip = (environment: string) =>
  [join(environment, "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input"] as const;

let uvOfThisProcess: Promise<string> | undefined;

/** The environment with uv, which installs far faster than pip, and with pip, which installs uv. */
function installUv(python: Python): Promise<string> {
  // Once per process, even if two environments need it at the same time.
  uvOfThisProcess ??= installEnvironment("-uv", python, (folder, lock, log) =>
    step("Installing uv", async () => {
      await run([python.path, "-m", "venv", folder], { log });
      await withRemedy(() => run([...pip(folder), "install", "--require-hashes", "-r", lock], { log }));
    }),
  ).finally(() => {
    uvOfThisProcess = undefined;
  });
  return uvOfThisProcess;
}

async function installPackages(parts: { uv: string; folder: string; lock: string; log: string }): Promise<void> {
  const { uv, folder, lock, log } = parts;
  const env = {
    ...uvEnvironment(outputOf(pip(uv)[0], [...pip(uv).slice(1), "config", "list"]) ?? "", process.env),
    PATH: [join(uv, "bin"), process.env.PATH].join(delimiter),
  };
  const python = join(folder, "bin/python");
  // Where Python may not write, it would compile mngr again at each start.
  const options = ["--no-config", "--compile-bytecode", "--require-hashes", "--python", python];
  try {
    await run([join(uv, "bin/uv"), "pip", "install", ...options, "-r", lock], { log, env });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say("uv can't install these packages, so pip tries.");
    const target = ["--python", python, "install", "--require-hashes", "-r", lock];
    await withRemedy(() => run([...pip(uv), ...target], { log }));
  }
}

async function withRemedy(install: () => Promise<void>): Promise<void> {
  try {
    await install();
  } catch (error) {
    if (error instanceof SetupError) error.remedy = REMEDY;
    throw error;
  }
}
