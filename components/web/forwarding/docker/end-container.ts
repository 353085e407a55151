import { dockerClient } from "../../../docker/client.ts";
import { DockerError, NoSuchThing, runDocker } from "../../../docker/run-docker.ts";
import { printNote } from "../../../lib/terminal.ts";
import { removeImages } from "./image.ts";
import { readContainer, removeContainerFile } from "./installed-container.ts";
import { containerName, relayNotRunning, relayPath, stateFolder, volumeName } from "./names.ts";

const stopSeconds = 10;

/**
 * Stops the forwarding server's container because a server without one replaces it. Pulumi removes the container later.
 * If Docker is not reachable, no container runs.
 */
export async function endContainer(folder: string): Promise<void> {
  const container = readContainer(folder);
  if (container === undefined) return;
  try {
    await runDocker(["stop", "--time", String(stopSeconds), container.id], { timeoutSeconds: stopSeconds + 50 });
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (!(error instanceof NoSuchThing)) printNote(`warning: ${error.message}\n`);
  }
  removeContainerFile(folder);
}

/**
 * Removes all Docker resources of an installation's forwarding server when Pulumi can't.
 * @throws DockerError
 */
export async function removeFromDocker(installation: string): Promise<void> {
  await runDocker(["container", "rm", "--force", containerName(installation)], { timeoutSeconds: 60 }).catch(isGone);
  await dockerClient(process.env).deleteVolume(volumeName(installation));
  await removeImages(installation);
}

/** Newer clients report no error for a missing container. */
function isGone(error: unknown): void {
  if (!(error instanceof NoSuchThing)) throw error;
}

/** The log tail, for an error. */
export async function containerLogTail(name: string): Promise<string> {
  try {
    // The client keeps stdout and stderr separate.
    const { stdout, stderr } = await runDocker(["logs", "--tail", "10", name], { timeoutSeconds: 30 });
    return `${stdout}${stderr}`.trim() || "it printed nothing";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Sends a line to the admin socket of the server in a container. Requests and responses contain login codes, so they go
 * through pipes, never through an argument list.
 *
 * @returns the server's response; empty if it is not awaited
 * @throws NoSuchThing if the container or its server does not run, or DockerError
 */
export async function askInContainer(
  container: string,
  line: string,
  timeoutSeconds: number,
  { waits = true }: { readonly waits?: boolean } = {},
): Promise<string> {
  const args = ["exec", "--interactive", container, "node", relayPath, stateFolder, ...(waits ? [] : ["hand-over"])];
  try {
    return (await runDocker(args, { timeoutSeconds, input: line })).stdout;
  } catch (error) {
    const isServerGone = error instanceof DockerError && error.exitCode === relayNotRunning;
    throw isServerGone ? new NoSuchThing(error.message) : error;
  }
}
