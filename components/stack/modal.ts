import * as pulumi from "@pulumi/pulumi";
import { modalClient } from "../modal/client.ts";
import { personEnvironment, personIdentity } from "../modal/identity.ts";
import { ModalError } from "../modal/modal-error.ts";
import { modalSite } from "../modal/observe.ts";
import { type ModalToken, modalToken } from "../modal/token.ts";
import type { ModalSite } from "../modal/types.ts";
import { nameOnModal } from "./installation.ts";
import { ModalHome } from "./modal-home.ts";

export interface ModalStackOptions {
  /** mngr_profile of the fleet. */
  readonly mngrProfile?: string | undefined;
  /** A token that the stack's config holds, for who sets none in the environment. */
  readonly stackToken?: ModalToken | undefined;
}

/** A stack on Modal, as one program run sees it; its changelings of all kinds share it. */
export interface ModalStack extends ModalStackOptions {
  readonly stack: string;
  /** undefined where nobody could look: then nothing drifted as far as is known. */
  readonly site: ModalSite | undefined;
  /** Made when it is asked for first: by then all that could be wrong was looked at. */
  home(): ModalHome;
  /** For scripts: they find the token of whoever runs the update by themselves; one of the stack's config they must be given. */
  readonly tokenVariables: Readonly<Record<string, string>>;
}

/**
 * Looks at what stands of the stack on Modal: once per run.
 *
 * @throws pulumi.RunError in an update when Modal can't be asked, in words for the whole fleet; a preview warns, and
 * knows of no drift then
 */
export async function modalStack(options: ModalStackOptions = {}): Promise<ModalStack> {
  const { mngrProfile, stackToken } = options;
  const stack = await nameOnModal();
  const token = tokenOf(options);
  const site = await whatIsLive(stack, options);
  let home: ModalHome | undefined;
  return {
    stack,
    site,
    mngrProfile,
    stackToken,
    home() {
      home ??= new ModalHome("modal", { stack, token, site, mngrProfile });
      return home;
    },
    tokenVariables:
      stackToken === undefined
        ? {}
        : { CHANGELINGS_MODAL_TOKEN_ID: stackToken.id, CHANGELINGS_MODAL_TOKEN_SECRET: stackToken.secret },
  };
}

/** Half a token is said when Modal is asked. */
function tokenOf({ stackToken }: ModalStackOptions): ModalToken | undefined {
  try {
    return modalToken(process.env, stackToken);
  } catch (error) {
    if (error instanceof ModalError) return undefined;
    throw error;
  }
}

async function whatIsLive(
  stack: string,
  { mngrProfile, stackToken }: ModalStackOptions,
): Promise<ModalSite | undefined> {
  try {
    const client = modalClient({ token: modalToken(process.env, stackToken), env: process.env });
    const person = personIdentity(process.env, { profile: mngrProfile });
    return await modalSite({ stack, client, localEnvironment: personEnvironment(person) });
  } catch (error) {
    if (!(error instanceof ModalError)) throw error;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(error.message);
    await pulumi.log.warn(`What is on Modal could not be read, so drift is not shown: ${error.message}`);
    return undefined;
  }
}
