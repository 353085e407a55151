import { dockerEnvironment } from "../../docker/run-docker.ts";
import { profileHostDir } from "../../mngr/profile.ts";
import { noProjectFolder } from "../../mngr/project-folder.ts";
import { type MngrOnMachines, mngrOnMachines } from "../machine/mngr-on-machines.ts";
import { stateFolder } from "./names.ts";

/**
 * mngr for agents in Docker: the user's own, or the profile's.
 *
 * @param mngrProfile the profile that the agents run in; undefined for the user's own
 * @param signal ends mngr processes of calls that only read
 */
export function mngrOnDocker(
  mngrProfile: string | undefined,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): MngrOnMachines {
  const hostDir = profileHostDir(mngrProfile, env);
  return mngrOnMachines("docker", mngrDockerEnvironment(env, hostDir), signal);
}

/** @param hostDir mngr's host dir, if the agents are separate from the user's own */
export function mngrDockerEnvironment(env: NodeJS.ProcessEnv, hostDir: string | undefined): Record<string, string> {
  return {
    MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
    ...dockerEnvironment(env),
    ...settings,
    // mngr and our own `docker` must use the same daemon.
    MNGR__PROVIDERS__DOCKER__HOST: env["DOCKER_HOST"] ?? "",
    ...(hostDir === undefined ? {} : { MNGR_HOST_DIR: hostDir }),
    MNGR_HEADLESS: "1",
  };
}

/**
 * mngr's files in a container, including the agent's environment, are on a separate volume, because a shared one would show
 * each agent the others' secrets. The user's settings can't change that.
 */
const settings = {
  MNGR__PROVIDERS__DOCKER__IS_HOST_VOLUME_CREATED: "false",
  MNGR__PROVIDERS__DOCKER__ISOLATE_HOST_VOLUMES: "false",
  MNGR__PROVIDERS__DOCKER__HOST_DIR: stateFolder,
};
