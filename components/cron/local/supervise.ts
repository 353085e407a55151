import { homedir } from "node:os";
import { basename } from "node:path";
import { type InstallationPaths, installationPaths } from "../../host/installation-paths.ts";
import { type Daemon, nodeDaemon } from "../../host/supervision/daemon.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { readRuns } from "./records.ts";
import { requestStop } from "./requests.ts";
import { schedulerPlace, schedulerProgram, schedulerState } from "./state.ts";

/** A process that sleeps all day needs no heap to grow into, nor to be woken up every 8 s in order to shrink it. */
const v8Options = ["--max-semi-space-size=1", "--no-memory-reducer"];

/**
 * Makes sure that an installation's scheduler runs, with the program that is here, under a supervisor that restarts it
 * when it crashes. It sees PATH, HOME and their like as they are in `env`, and nothing else of it.
 *
 * @returns its process id, and what supervises it, in words
 * @throws when it does not start; the error holds its last words
 */
export async function startScheduler(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  return await startDaemon(daemonOf(installationPaths(installation, home), home, env));
}

/**
 * Ends an installation's scheduler and its supervision; succeeds when there is none.
 *
 * @param endRuns true ends its runs first, and destroys the agents that were kept, but for those with uncommitted
 *   changes; false leaves them to the next scheduler
 * @throws when it, or a run, can't be ended
 */
export async function stopScheduler(
  installation: string,
  { endRuns }: { endRuns: boolean },
  home: string = homedir(),
): Promise<void> {
  const paths = installationPaths(installation, home);
  if (endRuns) {
    // Only a scheduler can end runs and destroy agents; one that is down is brought up for it.
    const isNeeded = readRuns(paths).some((run) => run.agentIsKept || run.outcome === undefined);
    if (!schedulerState(paths).alive && isNeeded) await startScheduler(installation, home);
    if (schedulerState(paths).alive) await requestStop(paths);
  }
  await stopDaemon(daemonOf(paths, home));
}

/** How the scheduler comes back after a restart of the machine; undefined when that needs nothing from anybody. */
export function bootInstructions(paths: InstallationPaths, home: string = homedir()): string | undefined {
  return bootInstructionsOf(daemonOf(paths, home));
}

function daemonOf(paths: InstallationPaths, home: string, env?: NodeJS.ProcessEnv): Daemon {
  const installation = basename(paths.root);
  const program = { installation, title: "scheduler", main: schedulerProgram, options: v8Options };
  return nodeDaemon({ ...program, ...schedulerPlace(paths) }, home, env);
}
