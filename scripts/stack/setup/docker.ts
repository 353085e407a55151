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

/** What the Docker tests run on. */
export interface DockerSetup {
  /** The path of the `docker` client. */
  readonly client: string;
  /** In the form of DOCKER_HOST: the daemon that answers. undefined: none answers, but `dockerd` is installed. */
  readonly host: string | undefined;
  /** A tarball of a root file system with what mngr needs on a host. */
  readonly base: { readonly file: string; readonly image: string };
}

const SUITE = "bookworm";
/** What mngr needs on a host beyond Debian's essential packages, and the languages of the tests' agents. */
const BASE = [
  ...["openssh-server", "tmux", "curl", "rsync", "jq", "xxd", "git", "ca-certificates", "procps", "python3"],
  // For the Node and the Python (with C++ packages) that are copied into it.
  "libstdc++6",
];
const WITHOUT = ["man", "doc", "locale", "i18n"].map((folder) => `path-exclude=/usr/share/${folder}/*`);

/** What the tests' own daemon needs, by Debian package. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["dockerd", "docker.io"],
  ["docker", "docker.io"],
  ["ip", "iproute2"],
  ["unshare", "util-linux"],
  ["setpriv", "util-linux"],
]);

/**
 * Finds or installs what the Docker tests need. Starts no server: only those tests do.
 *
 * @param root the folder to use as `/`, for tests
 * @throws SetupError that names what to install or start, if that needs confirmation
 */
export async function setUpDocker(root = "/"): Promise<DockerSetup> {
  const host = answeringHost();
  if (host === undefined) await installDaemon(root);
  const client = which("docker");
  if (client === null) throw new SetupError("docker is still not found", { remedy: remedy(["docker.io"]) });
  return { client, host, base: await makeBase(root) };
}

/** The daemon that the client talks to, whatever its context, if it answers. */
function answeringHost(): string | undefined {
  if (outputOf("docker", ["version", "--format", "{{.Server.Version}}"]) === null) return undefined;
  return outputOf("docker", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]) ?? undefined;
}

async function installDaemon(root: string): Promise<void> {
  const problem = "No docker daemon answers";
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new SetupError(problem, {
      remedy: "Start one, or run this as root: then the tests start their own.",
    });
  }
  if (missingTools(root).length === 0) return;
  await withLock("docker-tools", async () => {
    const missing = missingTools(root);
    if (missing.length === 0) return;
    const packages = [...new Set(missing.flatMap((tool) => packageOf(tool) ?? []))];
    const lacks = `${problem}, and to start one ${missing.join(", ")} is missing`;
    if (packageManager() !== "apt-get") throw new SetupError(lacks, { remedy: "Install docker and start its daemon." });
    // Under systemd, an installed daemon also starts, now and at each boot. Leave that decision to the user.
    if (missing.includes("dockerd") && existsSync(join(root, "run/systemd/system"))) {
      throw new SetupError(lacks, { remedy: remedy(packages) });
    }
    await withoutStartingServices(root, () => installPackagesOfSystem(packages, lacks));
  });
}

function missingTools(root: string): string[] {
  return [...PACKAGES.keys()].filter((tool) => which(tool, pathOfRoot(root)) === null);
}

/** Newer Debians package the client separately. */
function packageOf(tool: string): string | undefined {
  const isApart = tool === "docker" && /Candidate: \d/.test(outputOf("apt-cache", ["policy", "docker-cli"]) ?? "");
  return isApart ? "docker-cli" : PACKAGES.get(tool);
}

/** Tests reach no registry, so the base of their images is built from Debian packages. */
async function makeBase(root: string): Promise<DockerSetup["base"]> {
  const key = keyOf({ texts: [platform, SUITE, ...BASE, ...WITHOUT] });
  const folder = join(cacheFolder(), "docker-base", key);
  await installFolder(folder, async (temporary) => {
    const bootstrap = which("mmdebstrap", pathOfRoot(root));
    if (bootstrap === null) {
      const problem = "The tests with docker need mmdebstrap for their image, not found";
      await installPackagesOfSystem(["mmdebstrap", "debian-archive-keyring"], problem);
    }
    const options = ["--variant=essential", `--include=${BASE.join(",")}`];
    const unpack = ["force-unsafe-io", ...WITHOUT].map((option) => `--dpkgopt=${option}`);
    await step("Making the image of the tests with docker (about a minute, once)", () =>
      run(["mmdebstrap", "--quiet", ...options, ...unpack, SUITE, join(temporary, "base.tar")], { log: "docker-base" }),
    );
  });
  return { file: join(folder, "base.tar"), image: `changelings-test-base:${key}` };
}
