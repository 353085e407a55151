import { join } from "node:path";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { programVersion } from "../../host/supervision/program-version.ts";
import { becomeDaemon, type DaemonRef, type DaemonState, daemonState } from "../../host/supervision/state.ts";

/** A module of `components/` without extension. */
export const schedulerProgram = "cron/local/main";

export function schedulerDaemon(paths: InstallationPaths): DaemonRef {
  return {
    folder: paths.scheduler,
    stateFile: join(paths.scheduler, "scheduler.json"),
    programVersion: programVersion(schedulerProgram),
  };
}

/** Read-only: starts no process, changes nothing. */
export function schedulerState(paths: InstallationPaths): DaemonState {
  return daemonState(schedulerDaemon(paths));
}

/** Called by a starting scheduler. @returns false if another one of its installation is already running */
export function becomeScheduler(paths: InstallationPaths): boolean {
  return becomeDaemon(schedulerDaemon(paths), new Date());
}
