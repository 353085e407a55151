import { createHash } from "node:crypto";
import { join } from "node:path";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { programVersion } from "../../host/supervision/program-version.ts";
import { becomeDaemon, type DaemonRef, type DaemonState, daemonState } from "../../host/supervision/state.ts";
import { sessionsFolder, workerProgram } from "./folder.ts";

/** The program: a module in `components/`, without extension. Its version depends on these packages too. */
export const sessionsProgram = "sandbox/sessions/main";
const packages = ["workerd", "zod"];

export function sessionsDaemonRef(paths: Pick<InstallationPaths, "sandboxes">): DaemonRef {
  const folder = sessionsFolder(paths);
  return { folder, stateFile: join(folder, "sessions.json"), programVersion: versionOfBoth() };
}

/** Both count, because the runner bundles the worker when it starts, and does not import it. */
function versionOfBoth(): string {
  const versions = [programVersion(sessionsProgram, packages), programVersion(workerProgram)];
  return createHash("sha256").update(versions.join("\n")).digest("hex").slice(0, 16);
}

/** Read-only: starts no process and changes nothing. */
export function sessionsState(paths: Pick<InstallationPaths, "sandboxes">): DaemonState {
  return daemonState(sessionsDaemonRef(paths));
}

/**
 * Registers this process as its installation's session service.
 * @returns false if another one is already running
 */
export function becomeSessionService(paths: Pick<InstallationPaths, "sandboxes">): boolean {
  return becomeDaemon(sessionsDaemonRef(paths), new Date());
}
