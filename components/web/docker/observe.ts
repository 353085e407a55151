import * as pulumi from "@pulumi/pulumi";
import { dockerClient } from "../../docker/client.ts";
import { DockerError } from "../../docker/run-docker.ts";
import { type Agent, MngrError } from "../../mngr/client.ts";
import { webDrift } from "../agent/drift.ts";
import type { DeclaredWeb } from "../declared.ts";
import { type AgentsByProfile, type LocalWebs, type LocalWebsOptions, observedHere } from "../this-machine.ts";
import { serversInDocker } from "./live-servers.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";

export type DockerWebsOptions = LocalWebsOptions;

/** The observed state of a stack's web changelings in Docker. */
export interface DockerWebs extends LocalWebs {}

/**
 * Observes a stack's web changelings in Docker and their sources, once for all of them.
 *
 * @throws pulumi.RunError in an update, before any change, if Docker is not reachable; a preview warns and detects no
 * drift
 */
export function dockerWebs(changelings: readonly DeclaredWeb[], options: DockerWebsOptions = {}): Promise<DockerWebs> {
  return observedHere(changelings, options, {
    ...{ provider: "docker", suffix: "agent-docker", servers: serversInDocker },
    observe: observeAgents,
    drift: (record, agents = []) => webDrift(record, agents, { word: "container", running: running(agents) }),
  });
}

/** undefined if Docker could not be read. */
async function observeAgents(profiles: readonly (string | undefined)[]): Promise<AgentsByProfile | undefined> {
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
