import { homedir } from "node:os";
import { dockerEnvironment } from "../../docker/run-docker.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { type Daemon, nodeDaemon } from "../../host/supervision/daemon.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { modalEnvironment } from "../../modal/environment.ts";
import { forwardingPlace, forwardingProgram } from "./state.ts";

/** It sleeps most of the time, and need not be woken up every 8 s in order to shrink. */
export const v8Options = ["--max-semi-space-size=4", "--no-memory-reducer"];

/**
 * Makes sure that an installation's forwarding server runs, with the program that is here, under a supervisor that
 * restarts it when it crashes. It sees PATH, HOME and their like as they are in `env`, and nothing else of it.
 *
 * @throws when it does not start; the error holds its last words
 */
export async function startForwardingServer(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  return await startDaemon(forwardingDaemon(installation, home, env));
}

/** Ends it and its supervision; succeeds when there is none. @throws when it can't be ended */
export async function stopForwardingServer(installation: string, home: string = homedir()): Promise<void> {
  await stopDaemon(forwardingDaemon(installation, home));
}

/** How it comes back after a restart of the machine; undefined when that needs nothing from anybody. */
export function forwardingBootInstructions(installation: string, home: string = homedir()): string | undefined {
  return bootInstructionsOf(forwardingDaemon(installation, home));
}

export function forwardingDaemon(installation: string, home: string, env: NodeJS.ProcessEnv = process.env): Daemon {
  const program = { installation, title: "forwarding server", main: forwardingProgram, options: v8Options };
  const daemon = nodeDaemon({ ...program, ...forwardingPlace(installationPaths(installation, home)) }, home, env);
  // Where Modal and Docker are; no token.
  return { ...daemon, env: { ...modalEnvironment(env), ...dockerEnvironment(env), ...daemon.env } };
}
