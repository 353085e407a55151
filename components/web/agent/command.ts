import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import { type ScriptCommandArgs, scriptCommand } from "../../command.ts";
import type { CommandSuffix } from "../../command-suffixes.ts";

import { withAlias } from "../../component.ts";
import { fingerprintOfAdded } from "../added-paths.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { Servers } from "../local/await-servers.ts";
import { environmentOfWeb } from "./web-environment.ts";

export interface WebCommandArgs {
  /** What stands behind the changeling's name in the resource's. */
  readonly suffix: CommandSuffix;
  readonly command: string;
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  /** What is known before anything is done. */
  readonly seen: {
    readonly agentId?: string | undefined;
    readonly commit: string | undefined;
    readonly drift: string | undefined;
  };
  /** Where its servers listen after an update that failed; none: nobody here can tell. */
  readonly listening?: () => Promise<Servers>;
  /** Names of the secrets that it gets. */
  readonly secrets: readonly string[];
  /** What its provider reads beside what every web changeling has. */
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
  // A source that can't be asked shows no change.
  const isUnknown = source !== undefined && seen.commit === undefined;
  const made = scriptCommand(
    `${name}-${suffix}`,
    { command, environment: { ...environment, ...args.environment }, secretEnvironment, drift: seen.drift },
    isUnknown ? { ...opts, ignoreChanges: ["environment.COMMIT"] } : opts,
  );
  return reported(made.stdout, seen.agentId, listening);
}

/** What the script of an agent's Command has said. */
export interface Reported {
  /** mngr's id of the agent; undefined when there was none, and it could not be made. */
  readonly agentId: pulumi.Output<string | undefined>;
  /** Empty while it is stopped. */
  readonly servers: pulumi.Output<Servers>;
}

/** The one line that the scripts print. */
const resultLine = z.object({ agentId: z.string(), servers: z._default(z.record(z.string(), z.string()), {}) });

/**
 * @param stdout of the Command: kept as a secret, as all that scripts print, but where agents listen is none
 * @param agentId as it was known before
 * @param listening where its servers listen when the script has failed: what ran before may run again
 */
export function reported(
  stdout: pulumi.Output<string>,
  agentId: string | undefined,
  listening: () => Promise<Servers>,
): Reported {
  // One that failed has said nothing, and the engine has told why: its outputs are no second failure.
  const result = pulumi
    .unsecret(pulumi.recover(stdout, () => ""))
    .apply((line: string | undefined) => line && resultLine.parse(JSON.parse(line)));
  return {
    agentId: result.apply((said) => (said ? said.agentId : agentId)),
    servers: result.apply(async (said): Promise<Servers> => (said ? said.servers : await listening())),
  };
}
