import * as pulumi from "@pulumi/pulumi";
import { type Reported, webCommand } from "../agent/command.ts";
import type { DeclaredWeb } from "../declared.ts";
import { machineEnvironment } from "./machine-environment.ts";
import type { ModalWebs } from "./observe.ts";

export interface ModalWebArgs {
  readonly declared: DeclaredWeb;
  readonly modal: ModalWebs;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A web changeling on Modal: its agent, on its own machine there. */
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
    environment: machineEnvironment.named({
      stack: pulumi.output(stack),
      environment: home.environment,
      userId: home.userId,
      prefix: home.prefix,
    }),
    // Passed with the Command, not kept on this machine: the next update may run on another.
    secretEnvironment: {
      ...tokenVariables,
      ...(secrets.length === 0 ? {} : { VALUES: pulumi.jsonStringify(secretValues) }),
    },
    dependsOn: [home],
  });
}
