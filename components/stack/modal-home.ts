import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { scriptCommand } from "../command.ts";
import { type PersonIdentity, personEnvironment, personIdentity, portableSettings } from "../modal/identity.ts";
import { runsVolumeName, stackSecretName } from "../modal/names.ts";
import type { ModalToken } from "../modal/token.ts";
import type { ObservedModal } from "../modal/types.ts";

export interface ModalHomeArgs {
  readonly stack: string;
  /** The token of the deployed functions; undefined: it is unknown here, and stays as it is. */
  readonly token: pulumi.Input<ModalToken> | undefined;
  /** undefined if Modal could not be reached, so no drift is known. */
  readonly observed: ObservedModal | undefined;
  /** The fleet's mngr_profile. */
  readonly mngrProfile?: string | undefined;
  /** The committer of agents; undefined: git's identity on the machine that runs the first `up`. */
  readonly gitName?: string | undefined;
  readonly gitEmail?: string | undefined;
}

/** The script's output. */
const output = z.object({ environment: z.string(), userId: z.string(), prefix: z.string() });

/**
 * What all of a stack's apps on Modal share: the environment, two volumes, the Secret with the token and the user's
 * mngr identity, and the public keys of the user's machines. `pulumi destroy` removes the Secret, and keeps the
 * volumes.
 */
export class ModalHome extends pulumi.ComponentResource {
  /** mngr's own environment, which contains everything of the stack. */
  readonly environment: pulumi.Output<string>;
  readonly userId: pulumi.Output<string>;
  readonly prefix: pulumi.Output<string>;
  readonly command: pulumi.Resource;

  constructor(name: string, args: ModalHomeArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:modal:ModalHome", name, {}, opts);
    const { stack, token, observed, mngrProfile } = args;
    const person = personIdentity(process.env, { profile: mngrProfile });
    // Another machine or a pipeline must not show a change, so only the user's own machine sets these values.
    const settings = speaksForThePerson(observed, person) ? portableSettings(person) : "";
    const unknownHere = [
      ...(token === undefined ? ["CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET"] : []),
      ...(settings === "" ? ["CHANGELINGS_MNGR_SETTINGS"] : []),
    ];
    const command = scriptCommand(
      name,
      {
        command: "modal-home",
        environment: {
          STACK: stack,
          MNGR_PROFILE: mngrProfile,
          GIT_NAME: args.gitName,
          GIT_EMAIL: args.gitEmail,
        },
        secretEnvironment: {
          ...(token === undefined ? {} : tokenVariables(token)),
          ...(settings === "" ? {} : { CHANGELINGS_MNGR_SETTINGS: settings }),
        },
        drift: homeDrift(stack, observed),
      },
      { parent: this, ignoreChanges: unknownHere.map((variable) => `environment.${variable}`) },
    );
    this.command = command;
    // The live identity is known before anything runs, so a new token changes this resource alone.
    const known = observed?.identity;
    const made =
      known === undefined
        ? pulumi.unsecret(command.stdout).apply((line) => output.parse(JSON.parse(line)))
        : pulumi.output(known);
    this.environment = made.environment;
    this.userId = made.userId;
    this.prefix = made.prefix;
    this.registerOutputs({ environment: this.environment });
  }
}

/** A machine with another identity, or none, does not have the user's settings. */
function speaksForThePerson(observed: ObservedModal | undefined, person: PersonIdentity): boolean {
  if (observed === undefined) return false;
  return observed.environment === undefined || observed.environment === personEnvironment(person);
}

function tokenVariables(token: pulumi.Input<ModalToken>): Record<string, pulumi.Output<string>> {
  const { id, secret } = pulumi.output(token);
  return { CHANGELINGS_MODAL_TOKEN_ID: id, CHANGELINGS_MODAL_TOKEN_SECRET: secret };
}

/** How the live state differs from what every app needs, as text; undefined if it does not, or that is unknown. */
export function homeDrift(stack: string, observed: ObservedModal | undefined): string | undefined {
  if (observed === undefined) return undefined;
  if (observed.environment === undefined) return "its home volume is missing";
  if (observed.identity === undefined) return "its identity is missing on its home volume";
  if (!observed.volumes.has(runsVolumeName(stack))) return "its volume of run records is missing";
  if (!observed.secrets.has(stackSecretName(stack))) return "its Modal Secret is missing";
  return undefined;
}
