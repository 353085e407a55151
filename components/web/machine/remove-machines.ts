import type { Agent } from "../../mngr/client.ts";
import { exclusively, tellForwardingServer } from "../local/records.ts";
import type { MachineWeb } from "./machine-web.ts";
import { destroyMachine } from "./machines.ts";

export interface Removed {
  readonly agentId?: string;
  /** The volumes that are kept. */
  readonly repo?: string;
  readonly data?: string;
}

/**
 * Destroys the agent of a changeling that is no longer declared, with its machine. Its volumes are kept unless they are
 * to be deleted too, and are reused if the changeling is declared again.
 *
 * @throws if it can't be destroyed; everything is kept then
 */
export function removeMachines(
  { name, destroyData }: { name: string; destroyData: boolean },
  web: MachineWeb,
): Promise<Removed> {
  const { machines, records, log } = web;
  return exclusively(web, name, async () => {
    const record = await records.read(name);
    const agents = await web.mngr.agents();
    for (const host of await hostsOf(name, record?.host, agents, web)) await destroyMachine(host, web, agents);
    await tellForwardingServer(web);
    if (record === undefined) return {};
    const { agentId, repo, data } = record;
    if (destroyData) {
      for (const volume of [data, repo]) await machines.deleteVolume(volume);
      await records.remove(name);
      log(`${name} is removed, with its volumes`);
      return { agentId };
    }
    const { hostAddress: _address, host: _host, ...kept } = record;
    await records.write({ ...kept, removed: true });
    log(`${name} is removed; kept ${web.place}: the volumes ${data} and ${repo}`);
    return { agentId, repo, data };
  });
}

/** Names of its machines: the recorded one, and any left by an interrupted update. */
async function hostsOf(
  name: string,
  known: string | undefined,
  agents: readonly Agent[],
  { machines, labels }: MachineWeb,
): Promise<Set<string>> {
  const own = Object.entries({ ...labels, changeling: name, changeling_kind: "web" });
  const found = agents.filter((agent) => own.every(([key, value]) => agent.labels[key] === value));
  const names = [known, ...(await machines.hostsOf(name)), ...found.map(({ host }) => host?.name)];
  return new Set(names.flatMap((each) => (each === undefined || each === "" ? [] : [each])));
}
