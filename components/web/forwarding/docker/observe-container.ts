import { spawnSync } from "node:child_process";
import * as z from "zod/mini";
import { dockerEnvironment, dockerFailure, NoSuchThing } from "../../../docker/run-docker.ts";
import { notStarted, timedOut } from "../../../lib/process.ts";
import { readContainer } from "./installed-container.ts";
import { containerName } from "./names.ts";

/** The observed state of a forwarding server in Docker. */
export interface ObservedContainer {
  /** undefined if there is no container with its name. */
  readonly container: FoundContainer | undefined;
  /** Whether the container's image still exists. */
  readonly hasImage: boolean;
}

export interface FoundContainer {
  readonly id: string;
  /** Name of its image. */
  readonly image: string;
  readonly running: boolean;
  /** Whether it crashed, and Docker is about to restart it. */
  readonly restarting: boolean;
  readonly exitCode: number;
}

const inspected = z.object({
  Id: z.string(),
  Config: z.object({ Image: z.string() }),
  State: z.object({
    Running: z.boolean(),
    Restarting: z.boolean(),
    ExitCode: z.number(),
  }),
});

const timeoutMs = 20_000;

/** @throws DockerError if Docker is not reachable */
export function observeContainer(installation: string): ObservedContainer {
  const container = foundContainer(installation);
  return { container, hasImage: container !== undefined && hasImage(container.image) };
}

/**
 * @returns undefined if there is no container with its name
 * @throws DockerError
 */
export function foundContainer(installation: string): FoundContainer | undefined {
  const answer = inspect("container", containerName(installation));
  if (answer === undefined) return undefined;
  const { Id: id, Config, State } = inspected.parse(answer);
  const { Running, Restarting, ExitCode: exitCode } = State;
  // Docker also reports a container as running while it waits to be restarted.
  return { id, image: Config.Image, running: Running && !Restarting, restarting: Restarting, exitCode };
}

/** @throws DockerError */
export function hasImage(image: string): boolean {
  return inspect("image", image) !== undefined;
}

/**
 * Blocks for about 50 ms, because components are constructed synchronously.
 * @returns undefined if it does not exist
 */
function inspect(type: "container" | "image", name: string): unknown {
  const args = [type, "inspect", "--format", "{{json .}}", name];
  const options = {
    env: dockerEnvironment(process.env),
    encoding: "utf8",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  } as const;
  const { status, stdout, stderr, error } = spawnSync("docker", args, options);
  if (status === 0) return JSON.parse(stdout);
  const isTooLate = error !== undefined && "code" in error && error.code === "ETIMEDOUT";
  const code = isTooLate ? timedOut : (status ?? notStarted);
  const reason = dockerFailure(args, { code, stdout, stderr });
  if (reason instanceof NoSuchThing) return undefined;
  throw reason;
}

/**
 * Describes how the container differs from what the last `up` left; undefined if it does not. A newly declared config
 * or image is not drift: it changes the container's inputs.
 *
 * @param folder the forwarding server's folder on this machine
 */
export function containerDrift(folder: string, { container, hasImage }: ObservedContainer): string | undefined {
  const known = readContainer(folder);
  if (container === undefined) return known === undefined ? undefined : "its container is gone";
  if (known === undefined) return "its container is not the one that pulumi up created";
  if (container.id !== known.id) {
    const isOlder = container.image !== known.image;
    return isOlder ? "its container has another image" : "its container is not the one that pulumi up created";
  }
  if (container.restarting) return `its container crashes repeatedly (exit status ${container.exitCode})`;
  if (!container.running) return `its container does not run (exit status ${container.exitCode})`;
  return hasImage ? undefined : "its image is gone";
}
