import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { installationPaths } from "../host/installation-paths.ts";
import { type Agent, MngrError } from "../mngr/client.ts";
import { localSecrets } from "../secrets/local.ts";
import { claimedInstallation } from "../stack/installation.ts";
import { type Reported, type WebCommandArgs, webCommand } from "./agent/command.ts";
import { isRunning } from "./agent/drift.ts";
import { listedAgent } from "./agent/listed-agent.ts";
import { readRecord, type WebRecord } from "./agent/record.ts";
import { secretsDigestEnvironment, webEnvironment } from "./agent/web-environment.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { Servers } from "./local/await-servers.ts";
import type { WebDeployArgs } from "./observed.ts";

/** The observed web changelings of a provider that this machine's mngr runs. */
export interface WebsHere {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  of(changeling: DeclaredWeb): WebCommandArgs["seen"];
}

/** What distinguishes the providers that this machine's mngr runs. */
export interface ProviderHere {
  readonly suffix: WebCommandArgs["suffix"];
  /** The servers of a deployed agent. */
  servers(record: WebRecord): Promise<Servers>;
}

/** A web changeling that this machine's mngr runs, locally or in Docker: its secrets, and its agent with its repo. */
export function webHere(
  parent: pulumi.Resource,
  { declared, secretValues }: WebDeployArgs,
  { installation, mngrProfile, of, suffix, servers }: WebsHere & ProviderHere,
): Reported {
  const { name, renamedFrom } = declared;
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues });
  return webCommand(parent, declared, {
    suffix,
    command: "web-agent",
    installation,
    mngrProfile,
    seen: of(declared),
    listening: () => liveServers(name, installation, servers),
    secrets: Object.keys(secretValues),
    environment: webEnvironment.named({ installation: claimedInstallation().then(() => installation) }),
    secretEnvironment: secrets.length === 0 ? {} : secretsDigestEnvironment.named({ digest: digestOf(secretValues) }),
    dependsOn: secrets,
  });
}

/** Encrypted in the state, so that nobody can test guessed values against it. */
function digestOf(values: WebDeployArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}

/**
 * Where an agent's servers listen after a failed update, when what ran before may run again at another address. Empty
 * if the agent does not run, or its servers can't be read.
 *
 * @param name the changeling's
 */
async function liveServers(name: string, installation: string, read: ProviderHere["servers"]): Promise<Servers> {
  const record = readRecord(installationPaths(installation), name);
  if (record?.applied === undefined || record.removed === true) return {};
  try {
    return await read(record);
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    return {};
  }
}

export function isListedRunning(record: WebRecord, agents: readonly Agent[]): boolean {
  return isRunning(listedAgent(record, agents));
}
