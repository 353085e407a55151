import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import type { AgentHost, PlacedAgent, WebUpdate } from "../life-cycle/agent-host.ts";
import { NotUp, type Servers } from "../life-cycle/await-servers.ts";
import { awaitUp, serversOnMachine } from "./await-up.ts";
import type { MachineWeb } from "./machine-web.ts";
import { addressOf, destroyMachine, isUp, placed, pruneSnapshots, started } from "./machines.ts";
import { linkRemoteOn } from "./start-on-machine.ts";
import { createMachine, updateMachine } from "./update-machine.ts";

/** Web agents that each have a separate machine: a sandbox on Modal, or a container in Docker. */
export function machineHost(web: MachineWeb): AgentHost {
  const { provider, where, paths, log, records, machines, mngr } = web;
  return {
    ...{ provider, paths, log, records },
    begin: async () => {},
    agents: async () => placed(await mngr.agents()),
    // No other agent is on its machine.
    checkName() {},
    rename: (agent, name) => mngr.rename(addressOf(agent), name),
    stop: (agent) => machines.stop(agent),
    async resumed(update, agent) {
      if (update.record.hostAddress !== addressOf(agent)) return {};
      const servers = await onceMore(update, agent, web);
      const isLinked = update.record.applied?.remote === update.spec.remote;
      if (Object.keys(servers).length > 0 && !isLinked) await linkRemoteOn(addressOf(agent), update.spec, web);
      return servers;
    },
    deploy: (update, agent) =>
      agent === undefined ? createMachine({ ...update, web }) : updateMachine({ ...update, web }, agent),
    async finish(_update, agent, { host }) {
      if (agent !== undefined && agent.host.name === host) await pruneSnapshots(agent, web);
    },
    async destroy(name, record) {
      const agents = await mngr.agents();
      for (const host of await hostsOf(name, record, agents, web)) await destroyMachine(host, web, agents);
      return record?.agentId;
    },
    dataWords: "volumes",
    async deleteData({ data, repo }) {
      for (const volume of [data, repo]) await machines.deleteVolume(volume);
    },
    kept: ({ data, repo }) => ({ repo, data, words: ` ${where}: the volumes ${data} and ${repo}` }),
  };
}

/** Starts an agent that is as declared, if it does not run. @returns its servers; none if it does not come up */
async function onceMore({ spec }: WebUpdate, agent: PlacedAgent, web: MachineWeb): Promise<Servers> {
  if (isUp(agent)) return await serversOnMachine(web.mngr, addressOf(agent), 0);
  try {
    const again = await started(agent, web);
    return await awaitUp(web.mngr, addressOf(again), spec.startTimeoutSeconds);
  } catch (error) {
    if (!(error instanceof NotUp)) throw error;
    web.log(`${spec.name} was started, but ${error.message}; it is provisioned again`);
    return {};
  }
}

/** Names of its machines: the recorded one, and any left by an interrupted update. */
async function hostsOf(
  name: string,
  record: WebRecord | undefined,
  agents: readonly Agent[],
  { machines, labels }: MachineWeb,
): Promise<Set<string>> {
  const own = Object.entries({ ...labels, changeling: name, changeling_kind: "web" });
  const found = agents.filter((agent) => own.every(([key, value]) => agent.labels[key] === value));
  const names = [record?.host, ...(await machines.hostsOf(name)), ...found.map(({ host }) => host?.name)];
  return new Set(names.flatMap((each) => (each === undefined || each === "" ? [] : [each])));
}
