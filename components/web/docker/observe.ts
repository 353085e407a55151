import * as pulumi from "@pulumi/pulumi";
import { dockerClient } from "../../docker/client.ts";
import { DockerError } from "../../docker/run-docker.ts";
import { type InstallationPaths, installationPaths } from "../../host/installation-paths.ts";
import { type Agent, MngrError } from "../../mngr/client.ts";
import { confirmedInstallation } from "../../stack/installation.ts";
import { isFree, type WebRecord } from "../agent/record.ts";
import type { DeclaredWeb } from "../declared.ts";
import { type LocalWeb, type LocalWebsOptions, sourceTips } from "../local/observe.ts";
import { machineDrift } from "../machine/machine-drift.ts";
import type { ObservedWebs } from "../observed.ts";
import { webHere } from "../this-machine.ts";
import { serversInDocker } from "./live-servers.ts";
import { dockerRecord } from "./machine-web.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";

export type DockerWebsOptions = LocalWebsOptions;

/** The observed state of a stack's web changelings in Docker. */
export interface DockerWebs extends ObservedWebs {
  readonly mngrProfile: string | undefined;
  of(changeling: DeclaredWeb): LocalWeb;
}

/** Agents by mngr profile, without profiles that have nothing to observe. */
type Seen = ReadonlyMap<string | undefined, readonly Agent[]>;

/**
 * Observes a stack's web changelings in Docker and their sources, once for all of them.
 *
 * @throws pulumi.RunError in an update, before any change, if Docker is not reachable; a preview warns and detects no
 * drift
 */
export async function dockerWebs(
  changelings: readonly DeclaredWeb[],
  options: DockerWebsOptions = {},
): Promise<DockerWebs> {
  const installation = await confirmedInstallation();
  const paths = installationPaths(installation);
  const records = new Map(changelings.map((changeling) => [changeling.name, recordOf(changeling, paths)]));
  const [tips, seen] = await Promise.all([
    sourceTips(changelings, options),
    look([...records.values()].filter((record) => record !== undefined)),
  ]);
  const webs = {
    installation,
    mngrProfile: options.mngrProfile,
    of(changeling: DeclaredWeb): LocalWeb {
      const record = records.get(changeling.name);
      const agents = record && seen?.get(record.mngrProfile);
      return {
        agentId: record?.agentId,
        commit: tips(changeling)?.commit,
        drift: seen && machineDrift(record, { machine: "container", machines: running(agents ?? []), agents }),
      };
    },
  };
  return {
    ...webs,
    deploy: (parent, args) => webHere(parent, args, { ...webs, suffix: "agent-docker", servers: serversInDocker }),
  };
}

function recordOf({ name, renamedFrom }: DeclaredWeb, paths: InstallationPaths): WebRecord | undefined {
  const own = dockerRecord(paths, name);
  const former = renamedFrom === undefined ? undefined : dockerRecord(paths, renamedFrom);
  return isFree(own) ? (former ?? own) : own;
}

/** undefined if Docker could not be read. */
async function look(records: readonly WebRecord[]): Promise<Seen | undefined> {
  const deployed = records.filter(({ removed, applied }) => removed !== true && applied !== undefined);
  const profiles = [...new Set(deployed.map(({ mngrProfile }) => mngrProfile))];
  try {
    const [, ...agents] = await Promise.all([
      dockerClient(process.env).ping(),
      ...profiles.map((profile) => mngrOnDocker(profile, process.env).agents()),
    ]);
    return new Map(profiles.map((profile, at) => [profile, agents[at] ?? []]));
  } catch (error) {
    if (!(error instanceof DockerError || error instanceof MngrError)) throw error;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(error.message);
    await pulumi.log.warn(`The state of the web changelings in Docker could not be read: ${error.message}`);
    return undefined;
  }
}

/** Ids of the running machines. */
function running(agents: readonly Agent[]): ReadonlySet<string> {
  return new Set(agents.flatMap(({ host }) => (host?.state === "RUNNING" ? [host.id] : [])));
}
