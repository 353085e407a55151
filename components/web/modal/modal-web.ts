import type { Modal } from "../../modal/client.ts";
import { modalClient } from "../../modal/client.ts";
import { type HomeVolume, keysFolder } from "../../modal/home-files.ts";
import { ensureMachineIdentity } from "../../modal/machine-identity.ts";
import { homeVolumeName } from "../../modal/names.ts";
import { modalToken } from "../../modal/token.ts";
import type { WebAgents } from "../local/web-agents.ts";
import { type MngrOnModal, mngrOnModal } from "./mngr-on-modal.ts";

/** What the work on a stack's web agents on Modal needs. */
export interface ModalWeb extends Pick<WebAgents, "installation" | "paths" | "env" | "log"> {
  readonly client: Modal;
  readonly stack: string;
  /** mngr's on Modal. */
  readonly environment: string;
  /** Where this machine's mngr acts as the stack. */
  readonly hostDir: string;
  readonly mngr: MngrOnModal;
}

export interface StackOnModal {
  readonly stack: string;
  readonly environment: string;
  readonly userId: string;
  readonly prefix: string;
  readonly mngrProfile: string | undefined;
}

/** Makes this machine's mngr able to act as the stack. @throws ModalError without a token */
export function modalWeb(of: StackOnModal, web: WebAgents): ModalWeb {
  const { installation, paths, env, log } = web;
  const token = modalToken(process.env);
  const { hostDir } = ensureMachineIdentity(of, process.env, { profile: of.mngrProfile });
  return {
    installation,
    paths,
    env,
    log,
    client: modalClient({ token, env: process.env }),
    stack: of.stack,
    environment: of.environment,
    hostDir,
    mngr: mngrOnModal({ hostDir, mngrProfile: of.mngrProfile, token, env: process.env }),
  };
}

/** The public keys of the person's machines, one a line. */
export async function publicKeys({ client, stack, environment }: HomeVolume): Promise<string> {
  const home = homeVolumeName(stack);
  const files = await client.files(home, environment, keysFolder);
  const keys = await Promise.all(files.map(({ path }) => client.readFile(home, environment, path)));
  return keys.flatMap((key) => (key === undefined ? [] : [`${key.trim()}\n`])).join("");
}
