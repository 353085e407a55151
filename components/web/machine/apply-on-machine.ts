import { isAsApplied } from "../agent/drift.ts";
import type { WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import { NotUp, type Servers } from "../local/await-servers.ts";
import { digestOfSecrets, exclusively, tellForwardingServer } from "../local/records.ts";
import { awaitUp, serversOnMachine } from "./await-up.ts";
import type { MachineUpdate, MachineWeb, PlacedAgent } from "./machine-web.ts";
import { addressOf, isUp, placedAgent, pruneSnapshots, started } from "./machines.ts";
import { recordFor } from "./records.ts";
import { createMachine, updateMachine } from "./update-machine.ts";

export interface AppliedOnMachine {
  readonly agentId: string;
  /** URLs as seen from its machine; empty for a stopped agent. */
  readonly servers: Servers;
}

/**
 * Brings a web changeling on its own machine to its declared state, whatever already exists: its volumes, machine,
 * agent and running servers. Never loses the agent's commits: an update merges or is rejected. An agent that does not
 * come up is rolled back to what ran before.
 * Every step can be repeated: each run starts from the record, git and mngr.
 *
 * @param former its name before a rename
 * @throws with the error, and with what runs now
 */
export function applyOnMachine(
  spec: WebSpec,
  former: string | undefined,
  { secrets, web }: Pick<MachineUpdate, "secrets" | "web">,
): Promise<AppliedOnMachine> {
  return exclusively(web, spec.name, async () => {
    const record = await recordFor(spec, former, web);
    const agent = await named(placedAgent(record, await web.mngr.agents()), record, web);
    const servers = await (spec.enabled ? run : rest)({ spec, record, secrets, web }, agent);
    await tellForwardingServer(web);
    return { agentId: record.agentId, servers };
  });
}

async function named(
  agent: PlacedAgent | undefined,
  { agentName: name }: WebRecord,
  { mngr }: MachineWeb,
): Promise<PlacedAgent | undefined> {
  if (agent === undefined || agent.name === name) return agent;
  await mngr.rename(addressOf(agent), name);
  return { ...agent, name };
}

async function rest({ spec, record, web }: MachineUpdate, agent: PlacedAgent | undefined): Promise<Servers> {
  if (agent !== undefined) await web.machines.rest(agent);
  await web.records.write({ ...record, applied: spec });
  return {};
}

async function run(update: MachineUpdate, agent: PlacedAgent | undefined): Promise<Servers> {
  const { spec, record, secrets, web } = update;
  const digest = digestOfSecrets(secrets);
  const isThere = agent !== undefined && record.hostAddress === addressOf(agent);
  if (isThere && isAsApplied(spec, record, agent) && record.secrets === digest) {
    const servers = await onceMore(update, agent);
    if (Object.keys(servers).length > 0) {
      await web.records.write({ ...record, applied: spec });
      return servers;
    }
  }
  const { servers, hostAddress, host } = await (agent === undefined
    ? createMachine(update)
    : updateMachine(update, agent));
  const { merged: _done, ...kept } = record;
  await web.records.write({ ...kept, host, applied: spec, secrets: digest, hostAddress });
  if (agent?.host.name === host) await pruneSnapshots(agent, web);
  return servers;
}

/** For an agent that only needs a restart or already runs. Returns no servers if it does not come up. */
async function onceMore({ spec, web }: MachineUpdate, agent: PlacedAgent): Promise<Servers> {
  if (isUp(agent)) return await serversOnMachine(web.mngr, addressOf(agent), 0);
  try {
    const again = await started(agent, web);
    return await awaitUp(web.mngr, addressOf(again), spec.startTimeoutSeconds);
  } catch (error) {
    if (!(error instanceof NotUp)) throw error;
    web.log(`${spec.name} was started, and ${error.message}; it is provisioned again`);
    return {};
  }
}
