import * as pulumi from "@pulumi/pulumi";
import { modalClient } from "../modal/client.ts";
import { personEnvironment, personIdentity } from "../modal/identity.ts";
import { ModalError } from "../modal/modal-error.ts";
import { observeModal } from "../modal/observe.ts";
import { type ModalToken, modalToken } from "../modal/token.ts";
import type { ObservedModal } from "../modal/types.ts";
import { nameOnModal } from "./installation.ts";
import { ModalHome } from "./modal-home.ts";

export interface ModalStackOptions {
  /** The fleet's mngr_profile. */
  readonly mngrProfile?: string | undefined;
  /** The token in the stack's config, used if the environment has none. */
  readonly stackToken?: ModalToken | undefined;
}

/** A stack on Modal, observed once per program run and shared by its changelings of all kinds. */
export interface ModalStack extends ModalStackOptions {
  readonly stack: string;
  /** undefined if Modal could not be reached; then no drift is known. */
  readonly observed: ObservedModal | undefined;
  /** Created on the first call, after everything has been checked. */
  home(): ModalHome;
  /** Variables for scripts. A script can find the user's own token, but not one in the stack's config. */
  readonly tokenVariables: Readonly<Record<string, string>>;
}

/**
 * Observes the stack on Modal, once per run.
 *
 * @throws pulumi.RunError in an update if Modal can't be reached, with one message for the whole fleet. A preview warns
 * instead, and then knows of no drift
 */
export async function modalStack(options: ModalStackOptions = {}): Promise<ModalStack> {
  const { mngrProfile, stackToken } = options;
  const stack = await nameOnModal();
  const token = tokenOf(options);
  const observed = await observeOrWarn(stack, options);
  let home: ModalHome | undefined;
  return {
    stack,
    observed,
    mngrProfile,
    stackToken,
    home() {
      home ??= new ModalHome("modal", { stack, token, observed, mngrProfile });
      return home;
    },
    tokenVariables:
      stackToken === undefined
        ? {}
        : { CHANGELINGS_MODAL_TOKEN_ID: stackToken.id, CHANGELINGS_MODAL_TOKEN_SECRET: stackToken.secret },
  };
}

/** Half a token is reported when Modal is first called. */
function tokenOf({ stackToken }: ModalStackOptions): ModalToken | undefined {
  try {
    return modalToken(process.env, stackToken);
  } catch (error) {
    if (error instanceof ModalError) return undefined;
    throw error;
  }
}

async function observeOrWarn(
  stack: string,
  { mngrProfile, stackToken }: ModalStackOptions,
): Promise<ObservedModal | undefined> {
  try {
    const client = modalClient({ token: modalToken(process.env, stackToken), env: process.env });
    const person = personIdentity(process.env, { profile: mngrProfile });
    return await observeModal({ stack, client, localEnvironment: personEnvironment(person) });
  } catch (error) {
    if (!(error instanceof ModalError)) throw error;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(error.message);
    await pulumi.log.warn(`The state on Modal could not be read, so drift is not shown: ${error.message}`);
    return undefined;
  }
}
