import { homedir } from "node:os";
import { dockerEnvironment } from "../../docker/run-docker.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { type Daemon, idleOptions, nodeDaemon } from "../../host/supervision/daemon.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { modalEnvironment } from "../../modal/environment.ts";
import { sessionsFolder } from "./folder.ts";
import { endOrphanedWorkerd } from "./runner/workerd.ts";
import { sessionsDaemonRef, sessionsProgram } from "./state.ts";

/**
 * Makes sure that an installation's session service runs the current program, under a supervisor that restarts it after
 * a crash. Of `env`, it gets only PATH, HOME and similar variables, and the settings of Modal and Docker.
 *
 * @throws with the log tail if it does not start
 */
export async function startSessions(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  return await startDaemon(sessionsDaemon(installation, home, env));
}

/**
 * Stops the service and its supervisor. Succeeds if there is none. The sandboxes of its sessions keep running.
 * @throws if it can't be stopped
 */
export async function stopSessions(installation: string, home: string = homedir()): Promise<void> {
  await stopDaemon(sessionsDaemon(installation, home));
  await endOrphanedWorkerd(sessionsFolder(installationPaths(installation, home)));
}

/** How to start it again after a reboot; undefined if that needs no action. */
export function sessionsBootInstructions(installation: string, home: string = homedir()): string | undefined {
  return bootInstructionsOf(sessionsDaemon(installation, home));
}

export function sessionsDaemon(installation: string, home: string, env: NodeJS.ProcessEnv = process.env): Daemon {
  const program = { installation, title: "session service", main: sessionsProgram, options: idleOptions(4) };
  const daemon = nodeDaemon({ ...program, ...sessionsDaemonRef(installationPaths(installation, home)) }, home, env);
  return { ...daemon, env: { ...modalEnvironment(env), ...dockerEnvironment(env), ...daemon.env } };
}
