import { homedir } from "node:os";
import { dockerEnvironment } from "../../docker/run-docker.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { type Daemon, idleOptions, nodeDaemon } from "../../host/supervision/daemon.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { modalEnvironment } from "../../modal/environment.ts";
import { forwardingDaemonRef, forwardingProgram } from "./state.ts";

/** Also those of the bare proxy that the bench compares the server with. */
export const v8Options = idleOptions(4);

/**
 * Makes sure that an installation's forwarding server runs the current program, under a supervisor that restarts it after
 * a crash. The server only gets PATH, HOME and similar variables of `env`.
 *
 * @throws with the log tail if it does not start
 */
export async function startForwardingServer(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  return await startDaemon(forwardingDaemon(installation, home, env));
}

/**
 * Stops the server and its supervisor; succeeds if there is none.
 * @throws if it can't be stopped
 */
export async function stopForwardingServer(installation: string, home: string = homedir()): Promise<void> {
  await stopDaemon(forwardingDaemon(installation, home));
}

/** How to start it again after a reboot; undefined if it starts automatically. */
export function forwardingBootInstructions(installation: string, home: string = homedir()): string | undefined {
  return bootInstructionsOf(forwardingDaemon(installation, home));
}

export function forwardingDaemon(installation: string, home: string, env: NodeJS.ProcessEnv = process.env): Daemon {
  const program = { installation, title: "forwarding server", main: forwardingProgram, options: v8Options };
  const daemon = nodeDaemon({ ...program, ...forwardingDaemonRef(installationPaths(installation, home)) }, home, env);
  // Settings of Modal and Docker, but no token.
  return { ...daemon, env: { ...modalEnvironment(env), ...dockerEnvironment(env), ...daemon.env } };
}
