import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { DeclaredWeb } from "../fleet/index.ts";
import { localSecrets } from "../local-secrets.ts";
import type { LocalWebs } from "./local-webs.ts";
import type { Reported } from "./reported.ts";
import { webCommand } from "./web-command.ts";

export interface LocalWebArgs {
  readonly declared: DeclaredWeb;
  readonly local: LocalWebs;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A web changeling on this machine: its secrets, and its agent with the repo that it works in. */
export function localWeb(parent: pulumi.Resource, { declared, local, secretValues }: LocalWebArgs): Reported {
  const { name, renamedFrom } = declared;
  const { installation, mngrProfile } = local;
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues });
  return webCommand(parent, declared, {
    suffix: "agent",
    script: "web-agent",
    installation,
    mngrProfile,
    seen: local.of(declared),
    secrets: Object.keys(secretValues),
    secretEnvironment: secrets.length === 0 ? {} : { SECRETS_DIGEST: digestOf(secretValues) },
    dependsOn: secrets,
  });
}

/** Encrypted in the state: nobody can try values on it. */
function digestOf(values: LocalWebArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}
