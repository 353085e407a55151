import { homedir } from "node:os";
import { basename } from "node:path";
import { type InstallationPaths, installationPaths } from "../../host/installation-paths.ts";
import { type Daemon, idleOptions, nodeDaemon } from "../../host/supervision/daemon.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { readRuns } from "./records.ts";
import { requestStop } from "./requests.ts";
import { schedulerDaemon, schedulerProgram, schedulerState } from "./state.ts";

/**
 * Ensures that an installation's scheduler runs with the current program, under a supervisor that restarts it after a
 * crash. From `env`, it inherits only PATH, HOME and similar variables.
 *
 * @returns its process id, and what supervises it, in words
 * @throws if it does not start; the error contains its log tail
 */
export async function startScheduler(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  return await startDaemon(daemonOf(installationPaths(installation, home), home, env));
}

/**
 * Stops an installation's scheduler and its supervisor; succeeds if there is none.
 *
 * @param endRuns true first ends its runs and destroys the kept agents, except those with uncommitted changes; false
 * leaves them to the next scheduler
 * @throws if the scheduler or a run can't be ended
 */
export async function stopScheduler(
  installation: string,
  { endRuns }: { endRuns: boolean },
  home: string = homedir(),
): Promise<void> {
  const paths = installationPaths(installation, home);
  if (endRuns) {
    // Only a scheduler can end runs and destroy agents, so one that is down is started for this.
    const isNeeded = readRuns(paths).some((run) => run.agentIsKept || run.outcome === undefined);
    if (!schedulerState(paths).alive && isNeeded) await startScheduler(installation, home);
    if (schedulerState(paths).alive) await requestStop(paths);
  }
  await stopDaemon(daemonOf(paths, home));
}

/** How the scheduler is started after a reboot; undefined if that needs no action. */
export function bootInstructions(paths: InstallationPaths, home: string = homedir()): string | undefined {
  return bootInstructionsOf(daemonOf(paths, home));
}

function daemonOf(paths: InstallationPaths, home: string, env?: NodeJS.ProcessEnv): Daemon {
  const installation = basename(paths.root);
  const program = { installation, title: "scheduler", main: schedulerProgram, options: idleOptions(1) };
  return nodeDaemon({ ...program, ...schedulerDaemon(paths) }, home, env);
}
