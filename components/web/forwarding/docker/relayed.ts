import { docker } from "./docker-cli.ts";
import { relayNotRunning, relayPath, stateFolder } from "./names.ts";

/**
 * Hands a line to the admin socket of the server in a container. The line and the answer hold codes of logins: they go
 * through pipes, never through an argument list.
 *
 * @returns what the server answered; nothing when it is not waited for
 * @throws NoContainer when the container or the server in it does not run, or DockerError
 */
export async function askInContainer(
  container: string,
  line: string,
  timeoutSeconds: number,
  { waits = true }: { readonly waits?: boolean } = {},
): Promise<string> {
  const args = ["exec", "--interactive", container, "node", relayPath, stateFolder, ...(waits ? [] : ["hand-over"])];
  return await docker(args, { timeoutSeconds, input: line, noContainerCode: relayNotRunning });
}
