import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { versions } from "./cache.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { readToolchain, which } from "./toolchain.mjs";
import { installPackagesOfSystem, outputOf, packageManager, remedy } from "./tools.ts";

export interface Python {
  readonly path: string;
  /** "3.12.1" */
  readonly version: string;
}

/** The oldest supported version comes first, because mngr is tested most with it. */
const NAMES = ["python3.12", "python3.13", "python3.14", "python3"];
/** The packages of a new enough Python, by package manager. */
const PACKAGES: Record<string, readonly string[]> = {
  "apt-get": ["python3", "python3-venv"],
  dnf: ["python3.12"],
  pacman: ["python"],
  brew: ["python@3.12"],
};
const WANTED = `Python ${versions.python.minimum} or later`;

/**
 * Finds a Python that mngr runs on: from PATH, pyenv or uv. If there is none, it is installed if that
 * needs no confirmation.
 */
export async function findPython(): Promise<Python> {
  const found = present() ?? (await installWithUv()) ?? (await installWithApt());
  if (found !== null) return found;
  const manager = packageManager();
  const packages = PACKAGES[manager ?? ""];
  throw new SetupError(`${WANTED} with its venv module not found on PATH, in pyenv, nor by uv`, {
    remedy:
      packages !== undefined && (manager !== "apt-get" || aptHasPython())
        ? remedy(packages)
        : "This system has no package of it. Install one with: curl -LsSf https://astral.sh/uv/install.sh | sh && uv python install 3.12",
  });
}

/**
 * The Python of mngr's environment if that is set up, which costs no process, else `findPython`. For the environments of
 * tests and checks.
 */
export async function pythonInUse(): Promise<Python> {
  const environment = readToolchain()?.python;
  return (environment === undefined ? null : pythonOf(dirname(dirname(environment)))) ?? (await findPython());
}

/** The Python that an environment was created with, if it still exists. */
function pythonOf(environment: string): Python | null {
  const text = readFileSync(join(environment, "pyvenv.cfg"), "utf8");
  const [path, version] = ["executable", "version"].map((key) => new RegExp(`^${key} = (.+)$`, "m").exec(text)?.[1]);
  return path !== undefined && version !== undefined && existsSync(path) ? { path, version } : null;
}

/** The first Python on PATH or in pyenv that is new enough. */
function present(): Python | null {
  const paths = [...NAMES.map((name) => which(name)), ...pyenvPythons()].filter((path) => path !== null);
  for (const path of paths) {
    const python = probe(path);
    if (python !== null) return python;
  }
  return null;
}

function pyenvPythons(): string[] {
  const folder = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  try {
    const all = readdirSync(folder).filter((name) => /^3\.\d+\.\d+$/.test(name) && isNewEnough(name));
    return all.sort((a, b) => compareVersions(a, b)).map((name) => join(folder, name, "bin/python3"));
  } catch {
    return [];
  }
}

function probe(path: string): Python | null {
  // Debian's Python may lack the modules that create environments.
  const code = "import ensurepip, venv, platform; print(platform.python_version())";
  const version = outputOf(path, ["-c", code]);
  return version !== null && isNewEnough(version) ? { path, version } : null;
}

async function installWithUv(): Promise<Python | null> {
  const uv = which("uv");
  if (uv === null) return null;
  const find = (): Python | null => {
    const path = outputOf(uv, ["python", "find", "--no-project", `>=${versions.python.minimum}`]);
    return path === null ? null : probe(path);
  };
  const installed = find();
  if (installed !== null) return installed;
  try {
    await step("Installing Python 3.12 with uv", () =>
      run([uv, "python", "install", "3.12"], { log: "uv", timeoutSeconds: 300 }),
    );
  } catch (error) {
    if (error instanceof SetupError) return null;
    throw error;
  }
  return find();
}

async function installWithApt(): Promise<Python | null> {
  if (process.getuid?.() !== 0 || which("apt-get") === null || !aptHasPython()) return null;
  await installPackagesOfSystem(["python3", "python3-venv"], `${WANTED} not found`);
  return present();
}

function aptHasPython(): boolean {
  const candidate = /Candidate: (\d+\.\d+)/.exec(outputOf("apt-cache", ["policy", "python3"]) ?? "")?.[1];
  return candidate !== undefined && isNewEnough(candidate);
}

function isNewEnough(version: string): boolean {
  return compareVersions(version, versions.python.minimum) >= 0;
}

/** Negative if `a` is older. Compares only numbers and dots. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map((part) => Number.parseInt(part, 10) || 0));
  for (let i = 0; i < Math.max(left?.length ?? 0, right?.length ?? 0); i += 1) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
