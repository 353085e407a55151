import { createHash } from "node:crypto";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockWebType } from "../../changelings/stock-web.ts";
import { withAlias } from "../alias.ts";
import { scriptCommand } from "../command.ts";
import { drifted } from "../drift.ts";
import type { DeclaredWeb } from "../fleet/index.ts";
import { localSecrets } from "../local-secrets.ts";
import { fingerprintOfAdded } from "./added-files.ts";
import type { LocalWebs } from "./local-webs.ts";
import { type Reported, reported } from "./reported.ts";
import { environmentOfWeb } from "./web-environment.ts";

export interface LocalWebArgs {
  readonly declared: DeclaredWeb;
  readonly local: LocalWebs;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A web changeling on this machine: its secrets, and its agent with the repo that it works in. */
export function localWeb(parent: pulumi.Resource, { declared, local, secretValues }: LocalWebArgs): Reported {
  const { name, renamedFrom, source, agentType } = declared;
  const { installation, mngrProfile } = local;
  const { agentId, commit, drift } = local.of(declared);
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues });
  const environment = environmentOfWeb(declared, {
    installation,
    mngrProfile,
    commit,
    definition: source === undefined && agentType !== undefined ? stockWebType(agentType)?.fingerprint : undefined,
    added: fingerprintOfAdded(declared.addPaths),
    secrets: Object.keys(secretValues),
    anchors: { project: process.cwd(), home: homedir() },
  });
  const opts = withAlias({ parent, dependsOn: secrets }, renamedFrom && `${renamedFrom}-agent`);
  const isUnknown = source !== undefined && commit === undefined;
  const command = scriptCommand(
    `${name}-agent`,
    {
      script: "web-agent",
      environment: { ...environment },
      secretEnvironment: secrets.length === 0 ? {} : { SECRETS_DIGEST: digestOf(secretValues) },
      drift: drifted(drift),
    },
    isUnknown ? { ...opts, ignoreChanges: ["environment.COMMIT"] } : opts,
  );
  return reported(command.stdout, agentId);
}

/** Encrypted in the state: nobody can try values on it. */
function digestOf(values: LocalWebArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}
