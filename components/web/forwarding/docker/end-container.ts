import { dockerClient } from "../../../docker/client.ts";
import { DockerError, NoSuchThing, runDocker } from "../../../docker/run-docker.ts";
import { printNote } from "../../../lib/terminal.ts";
import { removeImages } from "./image.ts";
import { readContainer, removeContainerFile } from "./installed-container.ts";
import { containerName, relayNotRunning, relayPath, stateFolder, volumeName } from "./names.ts";

const stopSeconds = 10;

/**
 * Ends the forwarding server that runs in a container, because another one takes its place; Pulumi removes the
 * container later. Where Docker does not answer, none runs.
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

/** Removes all that an installation's forwarding server has in Docker, when Pulumi can't. @throws DockerError */
export async function removeFromDocker(installation: string): Promise<void> {
  await runDocker(["container", "rm", "--force", containerName(installation)], { timeoutSeconds: 60 }).catch(isGone);
  await dockerClient(process.env).deleteVolume(volumeName(installation));
  await removeImages(installation);
}

/** Newer clients say nothing of a container that is not there. */
function isGone(error: unknown): void {
  if (!(error instanceof NoSuchThing)) throw error;
}

/** The end of what it said, for an error. */
export async function lastWordsOfContainer(name: string): Promise<string> {
  try {
    // What it says on stderr comes on stderr: the client joins the two for nobody.
    const { stdout, stderr } = await runDocker(["logs", "--tail", "10", name], { timeoutSeconds: 30 });
    return `${stdout}${stderr}`.trim() || "it printed nothing";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Hands a line to the admin socket of the server in a container. The line and the answer hold codes of logins: they go
 * through pipes, never through an argument list.
 *
 * @returns what the server answered; nothing when it is not waited for
 * @throws NoSuchThing when the container or the server in it does not run, or DockerError
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
