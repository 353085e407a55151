import { noProjectFolder } from "../../mngr/project-folder.ts";
import { modalEnvironment } from "../../modal/environment.ts";
import { personIdentity } from "../../modal/identity.ts";
import type { ModalToken } from "../../modal/token.ts";
import { type MngrOnMachines, mngrOnMachines } from "../machine/mngr-on-machines.ts";

export interface MngrOptions {
  /** The host dir with which this machine's mngr acts as the stack (see `ensureMachineIdentity`). */
  readonly hostDir: string;
  /** mngr_profile of the fleet. */
  readonly mngrProfile: string | undefined;
  /** undefined for the token that Modal's clients find themselves. */
  readonly token: ModalToken | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** mngr for a stack on Modal: this machine's mngr, in the stack's Modal environment. */
export function mngrOnModal(place: MngrOptions): MngrOnMachines {
  const mngr = mngrOnMachines("modal", environmentOf(place));
  return {
    ...mngr,
    async start(address, options) {
      await mngr.start(address, options);
      // A new machine accepts only the key of its creator; see prepare.sh.
      const keys = '"$MNGR_AGENT_STATE_DIR/changelings-keys"';
      await mngr.exec([address], `[ ! -s ${keys} ] || cat ${keys} >>~/.ssh/authorized_keys`);
    },
  };
}

/**
 * Modal ends a sandbox after 24 h. mngr's own watcher in it snapshots and ends it a few minutes earlier; mngr adds the
 * rest of the day (`shutdownBufferSeconds`).
 */
export const lifeSeconds = 86_000;
const shutdownBufferSeconds = 300;

/** The tag that mngr 0.3.0 sets on a host's sandbox. It also tags the name, and each of the host's labels. */
export const hostIdTag = "mngr_host_id";
export const hostNameTag = "mngr_host_name";
export const labelTag = (label: string) => `mngr_user_${label}`;

/**
 * A host's files, including the agent's environment, must be on mngr's volume, and a machine must have a snapshot soon
 * after it is created. The user's settings can't change that.
 */
const settings = {
  MNGR__PROVIDERS__MODAL__IS_HOST_VOLUME_CREATED: "true",
  MNGR__PROVIDERS__MODAL__IS_SNAPSHOTTED_AFTER_CREATE: "true",
  MNGR__PROVIDERS__MODAL__SHUTDOWN_BUFFER_SECONDS: String(shutdownBufferSeconds),
};

function environmentOf({ hostDir, mngrProfile, token, env }: MngrOptions): Record<string, string> {
  const own = modalEnvironment(env);
  const isAside = hostDir !== personIdentity(env, { profile: mngrProfile }).hostDir;
  // These would override the settings of the stack's separate host dir.
  if (isAside) for (const name of ["MNGR_PREFIX", "MNGR_USER_ID"]) delete own[name];
  return {
    MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
    ...own,
    ...settings,
    ...(token === undefined ? {} : { MODAL_TOKEN_ID: token.id, MODAL_TOKEN_SECRET: token.secret }),
    MNGR_HOST_DIR: hostDir,
    MNGR_HEADLESS: "1",
  };
}
