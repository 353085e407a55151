import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerError, NoSuchThing, runDocker } from "./run-docker.ts";

/** What labels things have, by name. */
export type Labels = Readonly<Record<string, string>>;

/** What is asked of Docker, and done there, by its own client. All throw DockerError, and settle within their time. */
export interface Docker {
  /** @throws with the remedy when no daemon answers */
  ping(): Promise<void>;
  /** One that is there is fine, and keeps the labels that it has. */
  createVolume(name: string, labels: Labels): Promise<void>;
  /** With all that is on it; one that is gone is fine. */
  deleteVolume(name: string): Promise<void>;
  hasVolume(name: string): Promise<boolean>;
  /** Copies what is on a volume, which must be there, to a local folder, which must not. Nothing runs for it. */
  download(volume: string, folder: string): Promise<void>;
  /** The values that a label has on the containers, running or not, or volumes that have all of `labels`. */
  valuesOf(label: string, on: "container" | "volume", labels: Labels): Promise<string[]>;
  /** Ids of the containers that run and have these labels. */
  running(labels: Labels): Promise<string[]>;
  /** They can be started again. */
  stop(containers: readonly string[]): Promise<void>;
  /** What a shell script prints in a container that runs; undefined when it fails, or the container does not run. */
  exec(container: string, script: string): Promise<string | undefined>;
  /** The names of the volumes that are mounted in a container. */
  volumesOf(container: string): Promise<string[]>;
  /** Ends and removes it; volumes stay. One that is gone is fine. */
  removeContainer(container: string): Promise<void>;
  /** Ends and removes all containers that have these labels; volumes stay. */
  removeContainers(labels: Labels): Promise<void>;
  /** Removes all images that have these labels. */
  removeImages(labels: Labels): Promise<void>;
  /** One that is gone is fine; one that a container or another image is made of stays. */
  removeImage(id: string): Promise<void>;
}

/** In seconds: for what is asked, and for what moves files or waits for processes. */
const patience = { asked: 60, done: 600 };
/** How long a container's processes have to end, in seconds. */
const stopSeconds = 20;

/** @param env what says where Docker is is read from it: see `dockerEnvironment` */
export function dockerClient(env: NodeJS.ProcessEnv): Docker {
  const run = async (args: readonly string[], timeoutSeconds = patience.asked) =>
    (await runDocker(args, { env, timeoutSeconds })).stdout.trim();
  const lines = async (args: readonly string[], labels: Labels) => {
    const filters = Object.entries(labels).flatMap(([label, value]) => ["--filter", `label=${label}=${value}`]);
    const printed = await run([...args, ...filters]);
    return [...new Set(printed.split("\n").filter((line) => line !== ""))];
  };
  const removeImage: Docker["removeImage"] = async (id) => {
    try {
      await run(["image", "rm", id], patience.done);
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
        // It is never started: what it would run is not there.
        const container = await run(["create", "--network=none", mount, image, "nothing"]);
        try {
          await run(["cp", `${container}:/volume/.`, folder], patience.done);
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
      if (containers.length > 0) await run(["stop", `--time=${stopSeconds}`, ...containers], patience.done);
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
      await run(["rm", "--force", container], patience.done);
    },
    async removeContainers(labels) {
      const containers = await lines(["ps", "--all", "--quiet", "--no-trunc"], labels);
      if (containers.length > 0) await run(["rm", "--force", ...containers], patience.done);
    },
    async removeImages(labels) {
      // The newest first, which may be made of others.
      const images = await lines(["images", "--quiet", "--no-trunc"], labels);
      if (images.length > 0) await run(["rmi", "--force", ...images], patience.done);
    },
    removeImage,
  };
}

/** An image of nothing is made of it. */
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

/** @param error of the removal of an image */
function isInUse(error: unknown): boolean {
  return error instanceof DockerError && /conflict/i.test(error.message);
}
