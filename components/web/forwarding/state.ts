import { join } from "node:path";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { programVersion } from "../../host/supervision/program-version.ts";
import { becomeDaemon, type DaemonRef, type DaemonState, daemonState } from "../../host/supervision/state.ts";

/** The program's module in `components/`, without extension, and the packages whose versions it depends on. */
export const forwardingProgram = "web/forwarding/program/main";
export const forwardingPackages = ["fastify"];

export function forwardingDaemonRef(paths: InstallationPaths): DaemonRef {
  return {
    folder: paths.forwarding,
    stateFile: join(paths.forwarding, "forwarding.json"),
    programVersion: programVersion(forwardingProgram, forwardingPackages),
  };
}

/** Read-only: starts no process and changes nothing. */
export function forwardingState(paths: InstallationPaths): DaemonState {
  return daemonState(forwardingDaemonRef(paths));
}

/**
 * Registers this process as its installation's forwarding server.
 * @returns false if another one runs already
 */
export function becomeForwardingServer(paths: InstallationPaths): boolean {
  return becomeDaemon(forwardingDaemonRef(paths), new Date());
}
