import { modalClient } from "../../modal/client.ts";
import type { HomeVolume } from "../../modal/home-volume.ts";
import { ensureMachineIdentity } from "../../modal/machine-identity.ts";
import { modalToken } from "../../modal/token.ts";
import type { WebAgents } from "../life-cycle/web-agents.ts";
import type { MachineWeb } from "../machine/machine-web.ts";
import { mngrOnModal } from "./mngr-on-modal.ts";
import { modalMachines } from "./modal-machines.ts";
import { modalRecords } from "./modal-records.ts";

/** The context for managing a stack's web agents on Modal. */
export interface ModalWeb extends MachineWeb, HomeVolume {}

export interface StackOnModal {
  readonly stack: string;
  /** mngr's environment on Modal. */
  readonly environment: string;
  readonly userId: string;
  readonly prefix: string;
  readonly mngrProfile: string | undefined;
}

/**
 * Lets this machine's mngr act as the stack.
 * @throws ModalError without a token
 */
export function modalWeb(of: StackOnModal, { installation, paths, env, log }: WebAgents): ModalWeb {
  const { stack, environment, mngrProfile } = of;
  const token = modalToken(process.env);
  const { hostDir } = ensureMachineIdentity(of, process.env, { profile: mngrProfile });
  const at = { client: modalClient({ token, env: process.env }), stack, environment };
  const mngr = mngrOnModal({ hostDir, mngrProfile, token, env: process.env });
  return {
    ...{ installation, paths, env, log, mngr, ...at },
    provider: "modal",
    where: `on Modal, in the environment ${environment}`,
    labels: { changelings_stack: stack },
    records: modalRecords(at, { paths }, hostDir),
    machines: modalMachines(at, { mngr, log }),
  };
}
