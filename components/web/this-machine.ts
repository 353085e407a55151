import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { DeclaredWeb } from "../fleet/index.ts";
import { localSecrets } from "../secrets/local.ts";
import { claimedInstallation } from "../stack/installation.ts";
import { webCommand } from "./agent/command.ts";
import type { Reported } from "./agent/reported.ts";
import { liveServers } from "./live-servers.ts";
import type { LocalWebs } from "./local/observe.ts";

export interface WebHereArgs {
  readonly declared: DeclaredWeb;
  readonly provider: "docker" | "local";
  /** What stands of it. */
  readonly webs: LocalWebs;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

const suffixes = { docker: "agent-docker", local: "agent" } as const;

/** A web changeling that this machine's mngr runs, on it or in Docker: its secrets, and its agent with its repo. */
export function webHere(parent: pulumi.Resource, { declared, provider, webs, secretValues }: WebHereArgs): Reported {
  const { name, renamedFrom } = declared;
  const { installation, mngrProfile } = webs;
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues });
  return webCommand(parent, declared, {
    suffix: suffixes[provider],
    script: "web-agent",
    installation,
    mngrProfile,
    seen: webs.of(declared),
    listening: () => liveServers(name, installation),
    secrets: Object.keys(secretValues),
    environment: { INSTALLATION: claimedInstallation().then(() => installation) },
    secretEnvironment: secrets.length === 0 ? {} : { SECRETS_DIGEST: digestOf(secretValues) },
    dependsOn: secrets,
  });
}

/** Encrypted in the state: nobody can try values on it. */
function digestOf(values: WebHereArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}
