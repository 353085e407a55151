import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import { type ScriptCommandArgs, scriptCommand } from "../../command.ts";

import { withAlias } from "../../component.ts";
import { fingerprintOfAdded } from "../added-paths.ts";
import type { WebCommandSuffix } from "../command-suffixes.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { Servers } from "../life-cycle/await-servers.ts";
import { environmentOfWeb } from "./web-environment.ts";

export interface WebCommandArgs {
  /** The part of the resource's name after the changeling's. */
  readonly suffix: WebCommandSuffix;
  readonly command: string;
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  /** The state that was observed before any change. */
  readonly seen: {
    readonly agentId?: string | undefined;
    readonly commit: string | undefined;
    readonly drift: string | undefined;
  };
  /** Where its servers listen after a failed update; absent if this machine can't tell. */
  readonly listening?: () => Promise<Servers>;
  /** Names of the secrets that it gets. */
  readonly secrets: readonly string[];
  /** Variables for its provider, in addition to those of every web changeling. */
  readonly environment?: ScriptCommandArgs["environment"];
  readonly secretEnvironment: NonNullable<ScriptCommandArgs["secretEnvironment"]>;
  readonly dependsOn: pulumi.Resource[];
}

/** The Command of a web changeling's agent, wherever it runs. */
export function webCommand(parent: pulumi.Resource, declared: DeclaredWeb, args: WebCommandArgs): Reported {
  const { name, renamedFrom, source } = declared;
  const { suffix, command, installation, mngrProfile, seen, secrets, dependsOn, secretEnvironment } = args;
  const { listening = async () => ({}) } = args;
  const environment = environmentOfWeb(declared, {
    installation,
    mngrProfile,
    commit: seen.commit,
    definition: stockWebTypeOf(declared)?.fingerprint,
    added: fingerprintOfAdded(declared.addPaths),
    secrets,
    anchors: { project: process.cwd(), home: homedir() },
  });
  const opts = withAlias({ parent, dependsOn }, renamedFrom && `${renamedFrom}-${suffix}`);
  // A source that can't be read shows no change.
  const isUnknown = source !== undefined && seen.commit === undefined;
  const made = scriptCommand(
    `${name}-${suffix}`,
    { command, environment: { ...environment, ...args.environment }, secretEnvironment, drift: seen.drift },
    isUnknown ? { ...opts, ignoreChanges: ["environment.COMMIT"] } : opts,
  );
  return reported(made.stdout, seen.agentId, listening);
}

/** The parsed output of an agent's Command. */
export interface Reported {
  /** mngr's id of the agent; undefined if it did not exist and could not be created. */
  readonly agentId: pulumi.Output<string | undefined>;
  /** Empty for a stopped agent. */
  readonly servers: pulumi.Output<Servers>;
}

/** The one line that the scripts print. */
const resultLine = z.object({ agentId: z.string(), servers: z._default(z.record(z.string(), z.string()), {}) });

/**
 * @param stdout of the Command. It is a secret, like all output of scripts, although the agent's addresses are not
 * @param agentId the id that was known before the Command ran
 * @param listening where its servers listen if the script failed, because the previous version may run again
 */
function reported(
  stdout: pulumi.Output<string>,
  agentId: string | undefined,
  listening: () => Promise<Servers>,
): Reported {
  // A failed script has printed nothing, and the engine has reported why. Its outputs must not fail a second time.
  const result = pulumi
    .unsecret(pulumi.recover(stdout, () => ""))
    .apply((line: string | undefined) => line && resultLine.parse(JSON.parse(line)));
  return {
    agentId: result.apply((said) => (said ? said.agentId : agentId)),
    servers: result.apply(async (said): Promise<Servers> => (said ? said.servers : await listening())),
  };
}
