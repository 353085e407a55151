import { DockerError, NoSuchThing, runDocker } from "../../../docker/run-docker.ts";
import { relayNotRunning, relayPath, stateFolder } from "./names.ts";

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
