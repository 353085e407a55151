import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { SetupError, say, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { which } from "./toolchain.mjs";

const TOOLS = ["git", "tmux", "rsync"] as const;

/** How each package manager installs. The first one found is used. Packages are named like the tools. */
const INSTALL: Record<string, readonly [string, ...string[]]> = {
  "apt-get": ["apt-get", "install", "-y"],
  dnf: ["dnf", "install", "-y"],
  pacman: ["pacman", "-S", "--noconfirm"],
  brew: ["brew", "install"],
};

/** Returns the paths of the system tools that the fleet calls. Installs missing ones if that needs no confirmation. */
export async function findTools(): Promise<string[]> {
  const missing = TOOLS.filter((tool) => which(tool) === null);
  if (missing.length > 0) await installPackagesOfSystem(missing, `${missing.join(", ")} not found`);
  return TOOLS.map((tool) => which(tool) ?? fail(`${tool} is still not found`, [tool]));
}

/**
 * Installs packages with the system's package manager if that needs no confirmation (root, apt-get), else says how to.
 *
 * @param problem what is missing, for the error
 */
export async function installPackagesOfSystem(packages: readonly string[], problem: string): Promise<void> {
  if (process.getuid?.() !== 0 || which("apt-get") === null) fail(problem, packages);
  const options = { log: "apt", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  const fetch = (): Promise<void> =>
    run(["apt-get", "install", "-y", "--no-install-recommends", "--download-only", ...packages], options);
  say(`${problem}: installing with apt-get, as this is root on Debian.`);
  try {
    await step(`Installing ${packages.join(", ")}`, async () => {
      // A new machine has no package lists, and old lists name files that no longer exist.
      await fetch().catch(async () => {
        await run(["apt-get", "update"], options);
        await fetch();
      });
      // A Ctrl-C between unpacking and configuring would leave dpkg broken, so this short step may finish.
      await run(["apt-get", "install", "-y", "--no-install-recommends", ...packages], { ...options, finish: true });
    });
  } catch (error) {
    if (error instanceof SetupError) error.remedy = remedy(packages);
    throw error;
  }
}

/**
 * For packages with a server: Debian starts what it installs unless a policy file forbids it (Debian policy 9.3.3,
 * invoke-rc.d(8)).
 *
 * @param root the folder to use as `/`
 */
export async function withoutStartingServices(root: string, work: () => Promise<void>): Promise<void> {
  const policy = join(root, "usr/sbin/policy-rc.d");
  const isOurs = process.getuid?.() === 0 && !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/** PATH, plus the folders that only root's PATH contains. @param root the folder to use as `/` */
export function pathOfRoot(root = "/"): string {
  const folders = ["usr/sbin", "sbin", "usr/local/sbin"].map((folder) => join(root, folder));
  return [process.env.PATH, ...folders].join(delimiter);
}

function fail(problem: string, packages: readonly string[]): never {
  throw new SetupError(problem, { remedy: remedy(packages) });
}

/** The package manager of this system, if it is a known one. */
export function packageManager(): string | undefined {
  return Object.keys(INSTALL).find((name) => which(name) !== null);
}

/** "Install with: sudo apt-get install -y tmux rsync" */
export function remedy(packages: readonly string[]): string {
  const manager = packageManager();
  if (manager === undefined) return `Install ${packages.join(", ")} with your system's package manager.`;
  const sudo = manager === "brew" || process.getuid?.() === 0 ? [] : ["sudo"];
  return `Install with: ${[...sudo, ...(INSTALL[manager] ?? []), ...packages].join(" ")}`;
}

/** What a program prints, or null if it can't be run or fails. */
export function outputOf(program: string, args: readonly string[]): string | null {
  const { status, stdout } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: 20_000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? stdout.trim() : null;
}
