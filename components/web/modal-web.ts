import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockWebType } from "../../changelings/stock-web.ts";
import { withAlias } from "../alias.ts";
import { scriptCommand } from "../command.ts";
import { drifted } from "../drift.ts";
import type { DeclaredWeb } from "../fleet/index.ts";
import { thisInstallation } from "../this-installation.ts";
import { fingerprintOfAdded } from "./added-files.ts";
import type { ModalWebs } from "./modal-webs.ts";
import { type Reported, reported } from "./reported.ts";
import { environmentOfWeb } from "./web-environment.ts";

export interface ModalWebArgs {
  readonly declared: DeclaredWeb;
  readonly modal: ModalWebs;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A web changeling on Modal: its agent, on a machine of its own there. */
export function modalWeb(parent: pulumi.Resource, { declared, modal, secretValues }: ModalWebArgs): Reported {
  const { name, renamedFrom, source, agentType } = declared;
  const { stack, mngrProfile, tokenVariables } = modal.at;
  const { commit, drift } = modal.of(declared);
  const home = modal.at.home();
  const secrets = Object.keys(secretValues).sort();
  const environment = {
    ...environmentOfWeb(declared, {
      installation: thisInstallation(),
      mngrProfile,
      commit,
      definition: source === undefined && agentType !== undefined ? stockWebType(agentType)?.fingerprint : undefined,
      added: fingerprintOfAdded(declared.addPaths),
      secrets,
      anchors: { project: process.cwd(), home: homedir() },
    }),
    STACK: stack,
    MODAL_ENVIRONMENT: home.environment,
    STACK_USER_ID: home.userId,
    STACK_PREFIX: home.prefix,
  };
  const opts = withAlias({ parent, dependsOn: [home] }, renamedFrom && `${renamedFrom}-modal-agent`);
  const isUnknown = source !== undefined && commit === undefined;
  const command = scriptCommand(
    `${name}-modal-agent`,
    {
      script: "modal-web-agent",
      environment,
      // Given, not left on this machine: the next update may be another's.
      secretEnvironment: {
        ...tokenVariables,
        ...(secrets.length === 0 ? {} : { VALUES: pulumi.jsonStringify(secretValues) }),
      },
      drift: drifted(drift),
    },
    isUnknown ? { ...opts, ignoreChanges: ["environment.COMMIT"] } : opts,
  );
  return reported(command.stdout, undefined);
}
