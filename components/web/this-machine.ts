import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { installationPaths } from "../host/installation-paths.ts";
import { type Agent, MngrError } from "../mngr/client.ts";
import { localSecrets } from "../secrets/local.ts";
import { claimedInstallation, confirmedInstallation } from "../stack/installation.ts";
import { type Reported, type WebCommandArgs, webCommand } from "./agent/command.ts";
import { isFree, readRecord, recordOn, type WebRecord } from "./agent/record.ts";
import { secretsDigestEnvironment, webEnvironment } from "./agent/web-environment.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { Servers } from "./life-cycle/await-servers.ts";
import type { ObservedWebs, WebDeployArgs } from "./observed.ts";
import { type SecretValues, sourceTips } from "./source-tips.ts";

export interface LocalWebsOptions {
  /** mngr_profile of the fleet. */
  readonly mngrProfile?: string | undefined;
  /** Values of its secrets by variable name. GITHUB_TOKEN reads sources on github.com. */
  readonly secretValues?: SecretValues;
}

/** The state of a web changeling that this machine's mngr runs, before any change. */
export interface LocalWeb {
  /** Its agent's id; undefined before the first `pulumi up`. */
  readonly agentId: string | undefined;
  /** The tip of its source's branch; undefined if it has no source, or git could not read it. */
  readonly commit: string | undefined;
  readonly drift: string | undefined;
}

/** The observed state of the web changelings that this machine's mngr runs, on one provider. */
export interface LocalWebs extends ObservedWebs {
  readonly mngrProfile: string | undefined;
  of(changeling: DeclaredWeb): LocalWeb;
}

/** Agents by mngr profile, without profiles whose mngr can't be read. */
export type AgentsByProfile = ReadonlyMap<string | undefined, readonly Agent[]>;

/** What differs between the providers that this machine's mngr runs. */
interface ProviderHere {
  readonly provider: WebRecord["provider"];
  readonly suffix: WebCommandArgs["suffix"];
  /** The agents of these profiles; undefined if the provider could not be read. */
  observe(profiles: readonly (string | undefined)[]): Promise<AgentsByProfile | undefined>;
  drift(record: WebRecord | undefined, agents: readonly Agent[] | undefined): string | undefined;
  /** The servers of a deployed agent. */
  servers(record: WebRecord): Promise<Servers>;
}

/** Observes a stack's web changelings on one provider and their sources, once for all of them. */
export async function observedHere(
  changelings: readonly DeclaredWeb[],
  { mngrProfile, secretValues }: LocalWebsOptions,
  here: ProviderHere,
): Promise<LocalWebs> {
  const installation = await confirmedInstallation();
  const paths = installationPaths(installation);
  const records = new Map(
    changelings.map(({ name, renamedFrom }) => {
      const own = recordOn(here.provider, paths, name);
      const former = renamedFrom === undefined ? undefined : recordOn(here.provider, paths, renamedFrom);
      return [name, isFree(own) ? (former ?? own) : own];
    }),
  );
  const deployed = [...records.values()].filter((record) => record?.removed !== true && record?.applied !== undefined);
  const profiles = [...new Set(deployed.map((record) => record?.mngrProfile))];
  const [tips, seen] = await Promise.all([sourceTips(changelings, secretValues), here.observe(profiles)]);
  const webs = {
    installation,
    mngrProfile,
    of(changeling: DeclaredWeb): LocalWeb {
      const record = records.get(changeling.name);
      return {
        agentId: record?.agentId,
        commit: tips(changeling)?.commit,
        drift: seen && here.drift(record, record && seen.get(record.mngrProfile)),
      };
    },
  };
  return { ...webs, deploy: (parent, args) => webHere(parent, args, webs, here) };
}

/** A web changeling that this machine's mngr runs, locally or in Docker: its secrets, and its agent with its repo. */
function webHere(
  parent: pulumi.Resource,
  { declared, secretValues }: WebDeployArgs,
  { installation, mngrProfile, of }: Pick<LocalWebs, "installation" | "mngrProfile" | "of">,
  { suffix, servers }: ProviderHere,
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

/** The digest is encrypted in the state, so that nobody can test guessed values against it. */
function digestOf(values: WebDeployArgs["secretValues"]): pulumi.Output<string> {
  const sorted = Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
  return pulumi.jsonStringify(sorted).apply((text) => createHash("sha256").update(text).digest("hex"));
}

/**
 * Where an agent's servers listen after a failed update: the previous version may run again, at another address. Empty if
 * the agent does not run, or its servers can't be read.
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
