import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerError, NoSuchThing, runDocker } from "./run-docker.ts";

/** Labels, by name. */
export type Labels = Readonly<Record<string, string>>;

/** Queries and changes Docker with its own client. All methods have a timeout, and throw DockerError. */
export interface Docker {
  /** @throws if no daemon answers; the error says what to do */
  ping(): Promise<void>;
  /** Succeeds if the volume exists, which keeps its labels. */
  createVolume(name: string, labels: Labels): Promise<void>;
  /** Deletes the volume and its data. Succeeds if it is already gone. */
  deleteVolume(name: string): Promise<void>;
  hasVolume(name: string): Promise<boolean>;
  /** Copies the files of an existing volume to a local folder, which must not exist yet. Starts no container. */
  download(volume: string, folder: string): Promise<void>;
  /** The values of a label on all containers (running or not) or volumes that have all of `labels`. */
  valuesOf(label: string, on: "container" | "volume", labels: Labels): Promise<string[]>;
  /** The ids of the running containers with these labels. */
  running(labels: Labels): Promise<string[]>;
  /** Stopped containers can be started again. */
  stop(containers: readonly string[]): Promise<void>;
  /** The output of a shell script in a running container; undefined if it fails, or the container is not running. */
  exec(container: string, script: string): Promise<string | undefined>;
  /** The names of a container's mounted volumes. */
  volumesOf(container: string): Promise<string[]>;
  /** Stops and removes it; its volumes stay. Succeeds if it is already gone. */
  removeContainer(container: string): Promise<void>;
  /** Stops and removes all containers with these labels; their volumes stay. */
  removeContainers(labels: Labels): Promise<void>;
  /** Removes all images with these labels. */
  removeImages(labels: Labels): Promise<void>;
  /** Succeeds if the image is already gone. An image that a container or another image uses stays. */
  removeImage(id: string): Promise<void>;
}

/** Timeouts in seconds: for queries, and for commands that copy files or wait for processes. */
const timeouts = { query: 60, work: 600 };
/** How long a container's processes may take to stop, in seconds. */
const stopSeconds = 20;

/** @param env with the address of Docker; see `dockerEnvironment` */
export function dockerClient(env: NodeJS.ProcessEnv): Docker {
  const run = async (args: readonly string[], timeoutSeconds = timeouts.query) =>
    (await runDocker(args, { env, timeoutSeconds })).stdout.trim();
  const lines = async (args: readonly string[], labels: Labels) => {
    const filters = Object.entries(labels).flatMap(([label, value]) => ["--filter", `label=${label}=${value}`]);
    const printed = await run([...args, ...filters]);
    return [...new Set(printed.split("\n").filter((line) => line !== ""))];
  };
  const removeImage: Docker["removeImage"] = async (id) => {
    try {
      await run(["image", "rm", id], timeouts.work);
    } catch (error) {
      if (!(error instanceof NoSuchThing || isInUse(error))) throw error;
    }
  };
  return {
    async ping() {
      await run(["version", "--format", "{{.Server.Version}}"]);
    },
    async createVolume(name, labels) {
      const given = Object.entries(labels).map(([label, value]) => `--label=${label}=${value}`);
      await run(["volume", "create", ...given, name]);
    },
    async deleteVolume(name) {
      await run(["volume", "rm", "--force", name]);
    },
    async hasVolume(name) {
      return (await lines(["volume", "ls", "--quiet"], {})).includes(name);
    },
    async download(volume, folder) {
      const image = await withEmptyArchive((archive) => run(["import", archive]));
      try {
        const mount = `--volume=${volume}:/volume:ro`;
        // Never started: its command does not exist.
        const container = await run(["create", "--network=none", mount, image, "nothing"]);
        try {
          await run(["cp", `${container}:/volume/.`, folder], timeouts.work);
        } finally {
          await run(["rm", "--force", container]);
        }
      } finally {
        await removeImage(image);
      }
    },
    valuesOf(label, on, labels) {
      const list = on === "container" ? ["ps", "--all"] : ["volume", "ls"];
      return lines([...list, "--format", `{{.Label "${label}"}}`], labels);
    },
    running: (labels) => lines(["ps", "--quiet", "--no-trunc"], labels),
    async stop(containers) {
      if (containers.length > 0) await run(["stop", `--time=${stopSeconds}`, ...containers], timeouts.work);
    },
    async exec(container, script) {
      try {
        return await run(["exec", container, "sh", "-c", script]);
      } catch (error) {
        if (error instanceof NoSuchThing || (error instanceof DockerError && error.exitCode !== undefined)) return;
        throw error;
      }
    },
    volumesOf: (container) =>
      lines(["inspect", "--format", "{{range .Mounts}}{{.Name}}{{println}}{{end}}", container], {}),
    async removeContainer(container) {
      await run(["rm", "--force", container], timeouts.work);
    },
    async removeContainers(labels) {
      const containers = await lines(["ps", "--all", "--quiet", "--no-trunc"], labels);
      if (containers.length > 0) await run(["rm", "--force", ...containers], timeouts.work);
    },
    async removeImages(labels) {
      // Newest first, because newer images may be based on older ones.
      const images = await lines(["images", "--quiet", "--no-trunc"], labels);
      if (images.length > 0) await run(["rmi", "--force", ...images], timeouts.work);
    },
    removeImage,
  };
}

/** Docker imports this archive as an empty image. */
async function withEmptyArchive<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-docker-"));
  try {
    const archive = join(folder, "empty.tar");
    writeFileSync(archive, Buffer.alloc(1024));
    return await use(archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param error of removing an image */
function isInUse(error: unknown): boolean {
  return error instanceof DockerError && /conflict/i.test(error.message);
}
