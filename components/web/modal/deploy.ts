import * as pulumi from "@pulumi/pulumi";
import type { ModalStack } from "../../stack/modal.ts";
import { type Reported, type WebCommandArgs, webCommand } from "../agent/command.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { WebDeployArgs } from "../observed.ts";
import { machineEnvironment } from "./machine-environment.ts";

/** The observed web changelings of a stack on Modal. */
export interface WebsOnModal {
  readonly installation: string;
  readonly at: ModalStack;
  of(changeling: DeclaredWeb): WebCommandArgs["seen"];
}

/** Declares a web changeling on Modal: its agent, on a separate machine. */
export function webOnModal(
  parent: pulumi.Resource,
  { declared, secretValues }: WebDeployArgs,
  modal: WebsOnModal,
): Reported {
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
    // Passed with the Command and not stored on this machine, because the next update may run on another.
    secretEnvironment: {
      ...tokenVariables,
      ...(secrets.length === 0 ? {} : { VALUES: pulumi.jsonStringify(secretValues) }),
    },
    dependsOn: [home],
  });
}
