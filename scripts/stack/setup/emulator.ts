import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./cache.mjs";
import { toolchain } from "./environment.ts";
import { withLock } from "./lock.mjs";
import { SetupError } from "./progress.mjs";
import { pythonInUse } from "./python.ts";
import { installPythonLock } from "./python-environment.ts";
import { which } from "./toolchain.mjs";
import { installPackagesOfSystem, packageManager, pathOfRoot, remedy, withoutStartingServices } from "./tools.ts";

/** What the Modal emulator in test/modal-emulator runs with. All paths are absolute. */
export interface EmulatorSetup {
  /** From its own environment, with the newest `modal` and what containers expect to find installed. */
  readonly python: string;
  /** From the environment with mngr and modal. Containers run on it. */
  readonly clientPython: string;
  /** The folder of the package `modal_emulator`. */
  readonly source: string;
}

/** The system tools that the emulator and mngr's sandboxes call, by Debian package. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["sshd", "openssh-server"],
  ["ssh", "openssh-client"],
  ["rsync", "rsync"],
  ["jq", "jq"],
  ["xxd", "xxd"],
  ["curl", "curl"],
  ["unshare", "util-linux"],
]);

/**
 * Finds or installs what the Modal emulator needs. Only tests, benchmarks and `npm run emulator` call this.
 *
 * @throws SetupError that names what to install, if that needs confirmation
 */
export async function setUpEmulator(): Promise<EmulatorSetup> {
  if (process.platform !== "linux") {
    throw new SetupError("The Modal emulator needs Linux, because its containers are Linux namespaces", {
      remedy: "Run it in a Linux machine or container, for instance with Docker: privileged, with a volume on /tmp.",
    });
  }
  await installEmulatorTools();
  const title = "Installing the Modal emulator's Python packages (half a minute, once)";
  const folder = await installPythonLock("-emulator", title, await pythonInUse());
  return {
    python: join(folder, "bin/python"),
    clientPython: toolchain().python,
    source: join(checkout, "test/modal-emulator"),
  };
}

/**
 * Installs missing system tools if that needs no confirmation, without starting a service.
 *
 * @param root the folder to use as `/`, for tests
 * @throws SetupError that names what to install
 */
export async function installEmulatorTools(root = "/"): Promise<void> {
  if (missingTools(root).length === 0) return;
  await withLock("emulator-tools", async () => {
    const missing = missingTools(root);
    if (missing.length === 0) return;
    const packages = [...new Set(missing.flatMap((tool) => PACKAGES.get(tool) ?? []))];
    const problem = `The Modal emulator needs ${missing.join(", ")}, not found`;
    if (packageManager() !== "apt-get") {
      throw new SetupError(problem, {
        remedy: `Install the packages with these programs; on Debian: ${packages.join(", ")}.`,
      });
    }
    // Under systemd, an installed ssh server also starts, now and at each boot. Leave that decision to the user.
    if (missing.includes("sshd") && existsSync(join(root, "run/systemd/system"))) {
      const without = "(to keep the ssh server from running: sudo systemctl disable --now ssh)";
      throw new SetupError(problem, { remedy: `${remedy(packages)} ${without}` });
    }
    await withoutStartingServices(root, () => installPackagesOfSystem(packages, problem));
  });
}

function missingTools(root: string): string[] {
  return [...PACKAGES.keys()].filter((tool) => which(tool, pathOfRoot(root)) === null);
}
