import { join } from "node:path";
import type { InstallationPaths } from "../../installation-paths.ts";
import { programVersion } from "../../supervision/program-version.ts";
import { becomeDaemon, type DaemonPlace, type DaemonState, daemonState } from "../../supervision/state.ts";

/** What the forwarding server is made of. */
const sources = [
  ...[
    "web/forwarding/program",
    "web/forwarding/state",
    "web/forwarding/admin-request",
    "web/forwarding/admin-socket",
    "web/last-activity",
    "web/listed-agent",
    "web/record",
    "web/servers",
    "web/spec",
    "web/web-drift",
  ],
  ...[
    "web/kept-modal-token",
    "web/docker",
    "web/machine/mngr-on-machines",
    "web/modal",
    "canonical-json",
    "mngr",
    "run-program",
    ...["environment", "identity", "modal-error", "names", "read-toml", "token"].map((name) => `modal/${name}`),
  ],
];
const packages = ["fastify"];

/** For `programVersion`. @param more what the program is made of where it runs in another way */
export function forwardingSources(...more: string[]): [sources: string[], packages: string[]] {
  return [[...sources, ...more], packages];
}

export function forwardingPlace(paths: InstallationPaths): DaemonPlace {
  return {
    folder: paths.forwarding,
    stateFile: join(paths.forwarding, "forwarding.json"),
    programVersion: programVersion(...forwardingSources()),
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
