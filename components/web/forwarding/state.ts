import { join } from "node:path";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { programVersion } from "../../host/supervision/program-version.ts";
import { becomeDaemon, type DaemonPlace, type DaemonState, daemonState } from "../../host/supervision/state.ts";

/** The program, a module of `components/` without extension, and the packages whose releases it must follow. */
export const forwardingProgram = "web/forwarding/program/main";
export const forwardingPackages = ["fastify"];

export function forwardingPlace(paths: InstallationPaths): DaemonPlace {
  return {
    folder: paths.forwarding,
    stateFile: join(paths.forwarding, "forwarding.json"),
    programVersion: programVersion(forwardingProgram, forwardingPackages),
  };
}

/** For observers: starts no process, changes nothing. */
export function forwardingState(paths: InstallationPaths): DaemonState {
  return daemonState(forwardingPlace(paths));
}

/** For a forwarding server that starts. @returns false when another one of its installation runs already */
export function becomeForwardingServer(paths: InstallationPaths): boolean {
  return becomeDaemon(forwardingPlace(paths), new Date());
}
