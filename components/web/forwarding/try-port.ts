import { createServer } from "node:http";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { readContainer } from "./docker/installed-container.ts";
import { foundContainer } from "./docker/observe-container.ts";
import { type ForwardingConfig, readConfig } from "./program/config.ts";
import { listen } from "./program/listen.ts";
import { forwardingState } from "./state.ts";

/**
 * Checks that a forwarding server could listen as declared. This runs before anything is stopped, so that the old
 * server keeps running if the new one could not.
 *
 * @throws if it can't listen; the error says what to do
 */
export async function tryPort(
  installation: string,
  paths: InstallationPaths,
  config: Pick<ForwardingConfig, "host" | "port">,
): Promise<void> {
  if (portInUse(installation, paths) === config.port) return;
  const server = createServer();
  const listening = await listen(server, config);
  listening.close();
  await new Promise((resolve) => server.close(resolve));
}

/** @returns undefined if no server of the installation runs, or its config can't be read */
function portInUse(installation: string, paths: InstallationPaths): number | undefined {
  try {
    return isRunning(installation, paths) ? readConfig(paths.forwarding).port : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(installation: string, paths: InstallationPaths): boolean {
  if (readContainer(paths.forwarding) === undefined) return forwardingState(paths).alive;
  return foundContainer(installation)?.running === true;
}
