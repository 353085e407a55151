import { DockerError } from "../../docker/docker-client.ts";
import { docker, NoContainer } from "./docker-cli.ts";
import { removeImages } from "./image.ts";
import { readContainer, removeContainerFile } from "./installed-container.ts";
import { containerName, volumeName } from "./names.ts";

const stopSeconds = 10;

/**
 * Ends the forwarding server that runs in a container, because another one takes its place; Pulumi removes the
 * container later. Where Docker does not answer, none runs.
 */
export async function endContainer(folder: string): Promise<void> {
  const container = readContainer(folder);
  if (container === undefined) return;
  try {
    await docker(["stop", "--time", String(stopSeconds), container.id], { timeoutSeconds: stopSeconds + 50 });
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (!(error instanceof NoContainer)) process.stderr.write(`warning: ${error.message}\n`);
  }
  removeContainerFile(folder);
}

/** Removes all that an installation's forwarding server has in Docker, when Pulumi can't. @throws DockerError */
export async function removeFromDocker(installation: string): Promise<void> {
  await docker(["container", "rm", "--force", containerName(installation)], { timeoutSeconds: 60 }).catch(isGone);
  await docker(["volume", "rm", "--force", volumeName(installation)], { timeoutSeconds: 60 });
  await removeImages(installation);
}

/** Newer clients say nothing of a container that is not there. */
function isGone(error: unknown): void {
  if (!(error instanceof NoContainer)) throw error;
}

/** The end of what it said, for an error. */
export async function lastWordsOfContainer(name: string): Promise<string> {
  try {
    // What it says on stderr comes on stderr: the client joins the two for nobody.
    const said = await docker(["logs", "--tail", "10", name], { timeoutSeconds: 30, withStderr: true });
    return said.trim() === "" ? "it said nothing" : said.trim();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
