import { homedir } from "node:os";
import type * as pulumi from "@pulumi/pulumi";
import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import { withAlias } from "../../alias.ts";
import { type ScriptCommandArgs, scriptCommand } from "../../command.ts";
import type { CommandSuffix } from "../../command-suffixes.ts";
import type { DeclaredWeb } from "../../fleet/index.ts";
import { fingerprintOfAdded } from "../added-files.ts";
import type { Servers } from "../local/await-servers.ts";
import { type Reported, reported } from "./reported.ts";
import { environmentOfWeb } from "./web-environment.ts";

export interface WebCommandArgs {
  /** What stands behind the changeling's name in the resource's. */
  readonly suffix: CommandSuffix;
  readonly script: string;
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
  const { suffix, script, installation, mngrProfile, seen, secrets, dependsOn, secretEnvironment } = args;
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
  const command = scriptCommand(
    `${name}-${suffix}`,
    { script, environment: { ...environment, ...args.environment }, secretEnvironment, drift: seen.drift },
    isUnknown ? { ...opts, ignoreChanges: ["environment.COMMIT"] } : opts,
  );
  return reported(command.stdout, seen.agentId, listening);
}
