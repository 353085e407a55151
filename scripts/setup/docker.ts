import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, keyOf, platform } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { withLock } from "./lock.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { which } from "./toolchain.mjs";
import {
  installPackagesOfSystem,
  outputOf,
  packageManager,
  pathOfRoot,
  remedy,
  withoutStartingServices,
} from "./tools.ts";

/** What the tests with docker run on. */
export interface DockerSetup {
  /** The path of the `docker` client. */
  readonly client: string;
  /** As DOCKER_HOST has it: the daemon that answers; undefined: none does, and `dockerd` is here to start one. */
  readonly host: string | undefined;
  /** A root file system with what mngr needs on a host, as a tarball. */
  readonly base: { readonly file: string; readonly image: string };
}

const SUITE = "bookworm";
/** What mngr needs on a host beside Debian's essential packages, and what the tests' agents are written in. */
const BASE = [
  ...["openssh-server", "tmux", "curl", "rsync", "jq", "xxd", "git", "ca-certificates", "procps", "python3"],
  // For a Node, and a Python with packages of C++, that are copied into it.
  "libstdc++6",
];
const WITHOUT = ["man", "doc", "locale", "i18n"].map((folder) => `path-exclude=/usr/share/${folder}/*`);

/** What a daemon of the tests' own is started with, by the Debian package that holds it. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["dockerd", "docker.io"],
  ["docker", "docker.io"],
  ["ip", "iproute2"],
  ["unshare", "util-linux"],
  ["setpriv", "util-linux"],
]);

/**
 * Finds or installs what the tests with docker need, without starting a server: only those tests do.
 *
 * @param root the folder that stands for `/`, for tests
 * @throws SetupError with what to install or start, where that can't be done without asking
 */
export async function setUpDocker(root = "/"): Promise<DockerSetup> {
  const host = answeringHost();
  if (host === undefined) await installDaemon(root);
  const client = which("docker");
  if (client === null) throw new SetupError("docker is still not found", { remedy: remedy(["docker.io"]) });
  return { client, host, base: await makeBase(root) };
}

/** The daemon that the client talks to, whatever its context says, when it answers. */
function answeringHost(): string | undefined {
  if (outputOf("docker", ["version", "--format", "{{.Server.Version}}"]) === null) return undefined;
  return outputOf("docker", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]) ?? undefined;
}

async function installDaemon(root: string): Promise<void> {
  const fault = "No docker daemon answers";
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new SetupError(fault, { remedy: "Start one, or run this as root, to have one started for the tests alone." });
  }
  if (missingTools(root).length === 0) return;
  await withLock("docker-tools", async () => {
    const missing = missingTools(root);
    if (missing.length === 0) return;
    const packages = [...new Set(missing.flatMap((tool) => packageOf(tool) ?? []))];
    const lacks = `${fault}, and to start one ${missing.join(", ")} is missing`;
    if (packageManager() !== "apt-get") throw new SetupError(lacks, { remedy: "Install docker and start its daemon." });
    // Where systemd runs, a daemon that is installed also starts, now and at each boot: that is asked of a person.
    if (missing.includes("dockerd") && existsSync(join(root, "run/systemd/system"))) {
      throw new SetupError(lacks, { remedy: remedy(packages) });
    }
    await withoutStartingServices(root, () => installPackagesOfSystem(packages, lacks));
  });
}

function missingTools(root: string): string[] {
  return [...PACKAGES.keys()].filter((tool) => which(tool, pathOfRoot(root)) === null);
}

/** Newer Debians have the client in a package of its own. */
function packageOf(tool: string): string | undefined {
  const isApart = tool === "docker" && /Candidate: \d/.test(outputOf("apt-cache", ["policy", "docker-cli"]) ?? "");
  return isApart ? "docker-cli" : PACKAGES.get(tool);
}

/** Tests reach no registry: what their images are based on is made of Debian's packages. */
async function makeBase(root: string): Promise<DockerSetup["base"]> {
  const key = keyOf({ texts: [platform, SUITE, ...BASE, ...WITHOUT] });
  const folder = join(cacheFolder(), "docker-base", key);
  await installFolder(folder, async (temporary) => {
    const bootstrap = which("mmdebstrap", pathOfRoot(root));
    if (bootstrap === null) {
      const fault = "The tests with docker need mmdebstrap for their image, not found";
      await installPackagesOfSystem(["mmdebstrap", "debian-archive-keyring"], fault);
    }
    const options = ["--variant=essential", `--include=${BASE.join(",")}`];
    const unpack = ["force-unsafe-io", ...WITHOUT].map((option) => `--dpkgopt=${option}`);
    await step("Making the image of the tests with docker (about a minute, once)", () =>
      run(["mmdebstrap", "--quiet", ...options, ...unpack, SUITE, join(temporary, "base.tar")], { log: "docker-base" }),
    );
  });
  return { file: join(folder, "base.tar"), image: `changelings-test-base:${key}` };
}
