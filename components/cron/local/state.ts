import { join } from "node:path";
import type { InstallationPaths } from "../../installation-paths.ts";
import { programVersion } from "../../supervision/program-version.ts";
import { becomeDaemon, type DaemonPlace, type DaemonState, daemonState } from "../../supervision/state.ts";

/** What the scheduler is made of, and what it shares with those who check schedules beforehand. */
export const schedulerSources = [
  ...["cron/local", "cron/runs", "mngr", "fleet/cron-options", "fleet/cron-times", "installed-file"],
  ...["installed-secrets", "canonical-json", "masking", "plain-text", "source/git", "source/credentials"],
  "run-program",
];

export function schedulerPlace(paths: InstallationPaths): DaemonPlace {
  return {
    folder: paths.scheduler,
    stateFile: join(paths.scheduler, "scheduler.json"),
    programVersion: programVersion(schedulerSources),
  };
}

/** For observers: starts no process, changes nothing. */
export function schedulerState(paths: InstallationPaths): DaemonState {
  return daemonState(schedulerPlace(paths));
}

/** For a scheduler that starts. @returns false when another one of its installation runs already */
export function becomeScheduler(paths: InstallationPaths): boolean {
  return becomeDaemon(schedulerPlace(paths), new Date());
}
