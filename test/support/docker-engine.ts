import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf } from "../../components/lib/as-error.ts";
import { type DockerSetup, setUpDocker } from "../../scripts/stack/setup/docker.ts";
import { withLock } from "../../scripts/stack/setup/lock.mjs";
import { SetupError } from "../../scripts/stack/setup/progress.mjs";
import { type OwnDockerd, startDockerd } from "./own-dockerd.ts";

/** A docker daemon for tests. */
export interface DockerEngine {
  /** Points docker's clients at it, including mngr's. */
  readonly env: Readonly<Record<"DOCKER_HOST", string>>;
  /** Whether it is the test's own, whose containers can reach this machine and nothing else. */
  readonly isOwn: boolean;
  /** An image with what mngr needs on a host, and python3. */
  readonly baseImage: string;
  /** The output of `docker ARGS`. @throws if it fails */
  docker(...args: readonly string[]): Promise<string>;
  /**
   * Ends the test's own daemon. On any other, removes the containers, volumes and images that have the mark in a name
   * or label.
   *
   * @param mark unique to the test's names
   */
  end(mark?: string): Promise<void>;
}

/**
 * The daemon of docker's client if it answers; else, as root, one of the test's own. mngr's provider needs an image
 * `alpine:latest`: where it can't be pulled, the base image gets that name too.
 *
 * @param options.isOwn always starts a daemon of the test's own
 * @throws SetupError if none is available
 */
export async function dockerEngine({ isOwn = false } = {}): Promise<DockerEngine> {
  const setup = await setUpDocker();
  const own = isOwn || setup.host === undefined ? await ownDaemon() : undefined;
  const host = own?.host ?? setup.host ?? "";
  const env = { DOCKER_HOST: host };
  const docker = async (...args: readonly string[]) => {
    const options = { env: { ...process.env, DOCKER_CONTEXT: undefined, ...env }, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)(setup.client, args, options)).stdout.trim();
  };
  const engine = { env, isOwn: own !== undefined, baseImage: setup.base.image, docker };
  try {
    await loadImages(engine, setup.base, own);
  } catch (error) {
    await own?.end();
    throw error;
  }
  return { ...engine, end: async (mark) => (own === undefined ? removeMarked(docker, mark) : own.end()) };
}

/** Like `dockerEngine`, for tests that are skipped if none is available: then it returns the reason as text. */
export async function dockerEngineOrReason(): Promise<DockerEngine | string> {
  try {
    return await dockerEngine();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return [error.message, error.remedy].filter((part) => part !== undefined).join(". ");
  }
}

async function ownDaemon(): Promise<OwnDockerd> {
  try {
    return await startDockerd();
  } catch (error) {
    // A container that may not create containers counts as a machine without docker.
    throw new SetupError(`No docker daemon answers, and none can be started: ${messageOf(error)}`, {
      remedy: "Start one.",
    });
  }
}

type Engine = Pick<DockerEngine, "docker" | "baseImage">;

async function loadImages(
  { docker, baseImage }: Engine,
  base: DockerSetup["base"],
  own: OwnDockerd | undefined,
): Promise<void> {
  const has = async (image: string) => (await docker("images", "--quiet", image)) !== "";
  const load = async () => {
    if (!(await has(baseImage))) await docker("import", "--change", 'CMD ["sh"]', base.file, baseImage);
    if (await has("alpine:latest")) return;
    const isPulled = own === undefined && (await succeeds(docker("pull", "--quiet", "alpine:latest")));
    if (!isPulled) await docker("tag", baseImage, "alpine:latest");
  };
  await (own === undefined ? withLock("docker-images", load) : load());
}

async function removeMarked(docker: DockerEngine["docker"], mark: string | undefined): Promise<void> {
  if (mark === undefined) return;
  const marked = async (list: readonly string[], format: string) => {
    const lines = (await docker(...list, "--format", `{{${format}}} {{json .}}`)).split("\n");
    return lines.filter((line) => line.includes(mark)).map((line) => line.slice(0, line.indexOf(" ")));
  };
  const remove = async (command: readonly string[], things: readonly string[]) => {
    if (things.length > 0) await docker(...command, ...things);
  };
  await remove(["rm", "--force", "--volumes"], await marked(["ps", "--all", "--no-trunc"], ".ID"));
  await remove(["volume", "rm", "--force"], await marked(["volume", "ls"], ".Name"));
  // Unlike the other lists, the list of images does not show labels.
  const labels = "{{.Id}} {{json .RepoTags}} {{json .Config.Labels}}";
  const ids = (await docker("images", "--all", "--quiet", "--no-trunc")).split("\n").filter((id) => id !== "");
  const images = ids.length === 0 ? "" : await docker("image", "inspect", "--format", labels, ...new Set(ids));
  const own = images.split("\n").filter((line) => line.includes(mark));
  await remove(
    ["image", "rm", "--force"],
    own.map((line) => line.slice(0, line.indexOf(" "))),
  );
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
