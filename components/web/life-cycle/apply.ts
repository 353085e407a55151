import { isAsApplied } from "../agent/drift.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import { isFree, type WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import type { AgentHost, PlacedAgent, WebUpdate } from "./agent-host.ts";
import type { Servers } from "./await-servers.ts";
import { digestOfSecrets, exclusively, notifyForwardingServer } from "./web-agents.ts";

export interface Applied {
  readonly agentId: string;
  /** URLs as seen from its host; empty for a stopped agent. */
  readonly servers: Servers;
}

/**
 * Brings a web changeling to its declared state, whatever already exists: its repo, agent and running servers. It never
 * loses the agent's commits: an update merges or is rejected. If the agent does not come up, the previous version is
 * restored. Every step can be repeated, because each run starts from the record, git and mngr.
 *
 * @param former its name before a rename
 * @throws with the reason, and with what runs now
 */
export function applyWeb(
  spec: WebSpec,
  former: string | undefined,
  { secrets, host }: Pick<WebUpdate, "secrets"> & { readonly host: AgentHost },
): Promise<Applied> {
  return exclusively(host, spec.name, async () => {
    await host.begin(spec, former);
    const agents = await host.agents();
    const record = await recordFor(spec, former, { agents, host });
    host.checkName(record, agents);
    const agent = await named(listedAgent(record, agents), record, host);
    const servers = await (spec.enabled ? run : stop)({ spec, record, secrets }, agent, host);
    await notifyForwardingServer(host);
    return { agentId: record.agentId, servers };
  });
}

/** The record of a changeling, created if there is none. A record under its former name is moved to the new one. */
export async function recordFor(
  spec: WebSpec,
  former: string | undefined,
  { agents, host }: { agents: readonly PlacedAgent[]; host: Pick<AgentHost, "provider" | "records"> },
): Promise<WebRecord> {
  const { provider, records } = host;
  const own = await records.read(spec.name);
  const renamed = isFree(own) && former !== undefined ? await records.read(former) : undefined;
  const found: Partial<WebRecord> & Pick<WebRecord, "agentId" | "repo"> =
    renamed ?? own ?? (await records.first(spec.name, agents));
  const { removed, ...kept } = found;
  const record: WebRecord = {
    ...kept,
    version: 1,
    name: spec.name,
    agentName: spec.name,
    provider,
    mngrProfile: spec.mngrProfile,
    data: spec.data ?? records.dataBeside(kept.repo),
  };
  await records.write(record);
  // The previous run may have been interrupted between the two writes.
  if (former !== undefined && (await records.read(former))?.agentId === record.agentId) await records.remove(former);
  return record;
}

async function named(
  agent: PlacedAgent | undefined,
  { agentName: name }: WebRecord,
  host: AgentHost,
): Promise<PlacedAgent | undefined> {
  if (agent === undefined || agent.name === name) return agent;
  await host.rename(agent, name);
  return { ...agent, name };
}

async function stop({ spec, record }: WebUpdate, agent: PlacedAgent | undefined, host: AgentHost): Promise<Servers> {
  if (agent !== undefined) await host.stop(agent);
  await host.records.write({ ...record, applied: spec });
  return {};
}

async function run(update: WebUpdate, agent: PlacedAgent | undefined, host: AgentHost): Promise<Servers> {
  const { spec, record, secrets } = update;
  const digest = digestOfSecrets(secrets);
  if (agent !== undefined && isAsApplied(spec, record, agent) && record.secrets === digest) {
    const servers = await host.resumed(update, agent);
    if (Object.keys(servers).length > 0) {
      await host.records.write({ ...record, applied: spec });
      return servers;
    }
  }
  const deployed = await host.deploy(update, agent);
  const { merged: _done, ...kept } = record;
  const { servers, ...place } = deployed;
  await host.records.write({ ...kept, ...place, applied: spec, secrets: digest });
  await host.finish(update, agent, deployed);
  return servers;
}
