import * as pulumi from "@pulumi/pulumi";
import type { DeclaredWeb } from "../../fleet/index.ts";
import { type Reported, webCommand } from "../agent/command.ts";
import type { ModalWebs } from "./observe.ts";

export interface ModalWebArgs {
  readonly declared: DeclaredWeb;
  readonly modal: ModalWebs;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A web changeling on Modal: its agent, on a machine of its own there. */
export function modalWeb(parent: pulumi.Resource, { declared, modal, secretValues }: ModalWebArgs): Reported {
  const { installation } = modal;
  const { stack, mngrProfile, tokenVariables } = modal.at;
  const home = modal.at.home();
  const secrets = Object.keys(secretValues).sort();
  return webCommand(parent, declared, {
    suffix: "agent-modal",
    command: "modal-web-agent",
    installation,
    mngrProfile,
    seen: modal.of(declared),
    secrets,
    environment: {
      STACK: stack,
      MODAL_ENVIRONMENT: home.environment,
      STACK_USER_ID: home.userId,
      STACK_PREFIX: home.prefix,
    },
    // Given, not left on this machine: the next update may be another's.
    secretEnvironment: {
      ...tokenVariables,
      ...(secrets.length === 0 ? {} : { VALUES: pulumi.jsonStringify(secretValues) }),
    },
    dependsOn: [home],
  });
}
