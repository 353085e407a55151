import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { installationPaths } from "../host/installation-paths.ts";
import { type Agent, MngrError } from "../mngr/client.ts";
import { profileMngr } from "../mngr/profile.ts";
import { localSecrets } from "../secrets/local.ts";
import { claimedInstallation } from "../stack/installation.ts";
import { type Reported, webCommand } from "./agent/command.ts";
import { isRunning } from "./agent/drift.ts";
import { listedAgent } from "./agent/listed-agent.ts";
import { readRecord, type WebRecord } from "./agent/record.ts";
import { secretsDigestEnvironment, webEnvironment } from "./agent/web-environment.ts";
import type { DeclaredWeb } from "./declared.ts";
import { mngrOnDocker } from "./docker/mngr-on-docker.ts";
import { type Servers, serversSinceStart } from "./local/await-servers.ts";
import type { LocalWebs } from "./local/observe.ts";
import { serversOnMachine } from "./machine/await-up.ts";

export interface WebHereArgs {
  readonly declared: DeclaredWeb;
  readonly provider: "docker" | "local";
  /** The observed state. */
  readonly webs: LocalWebs;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

const suffixes = { docker: "agent-docker", local: "agent" } as const;

/** A web changeling that this machine's mngr runs, locally or in Docker: its secrets, and its agent with its repo. */
export function webHere(parent: pulumi.Resource, { declared, provider, webs, secretValues }: WebHereArgs): Reported {
  const { name, renamedFrom } = declared;
  const { installation, mngrProfile } = webs;
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues });
  return webCommand(parent, declared, {
    suffix: suffixes[provider],
    command: "web-agent",
    installation,
    mngrProfile,
    seen: webs.of(declared),
    listening: () => liveServers(name, installation),
    secrets: Object.keys(secretValues),
    environment: webEnvironment.named({ installation: claimedInstallation().then(() => installation) }),
    secretEnvironment: secrets.length === 0 ? {} : secretsDigestEnvironment.named({ digest: digestOf(secretValues) }),
    dependsOn: secrets,
  });
}

/** Encrypted in the state, so that nobody can test guessed values against it. */
function digestOf(values: WebHereArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}

/**
 * Where an agent's servers listen after a failed update, when what ran before may run again at another address. Empty
 * if the agent does not run, or its servers can't be read.
 *
 * @param name the changeling's
 */
export async function liveServers(name: string, installation: string): Promise<Servers> {
  const record = readRecord(installationPaths(installation), name);
  if (record?.applied === undefined || record.removed === true) return {};
  try {
    return await (record.provider === "docker" ? inDocker(record) : onThisMachine(record));
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    return {};
  }
}

async function onThisMachine(record: WebRecord): Promise<Servers> {
  const { mngrProfile, hostAddress = record.agentId } = record;
  const mngr = profileMngr(mngrProfile, process.env);
  const { agents } = await mngr.list();
  return runs(record, agents) ? await serversSinceStart(mngr, hostAddress, 0) : {};
}

async function inDocker(record: WebRecord): Promise<Servers> {
  const { mngrProfile: profile, hostAddress } = record;
  if (hostAddress === undefined) return {};
  const mngr = mngrOnDocker(profile, process.env);
  return runs(record, await mngr.agents()) ? await serversOnMachine(mngr, hostAddress, 0) : {};
}

function runs(record: WebRecord, agents: readonly Agent[]): boolean {
  return isRunning(listedAgent(record, agents));
}
