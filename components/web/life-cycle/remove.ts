import { rmSync } from "node:fs";
import { readRecord } from "../agent/record.ts";
import type { AgentHost } from "./agent-host.ts";
import { exclusively, lockPath, notifyForwardingServer } from "./web-agents.ts";

export interface Removed {
  readonly agentId?: string;
  /** What is kept; absent if it was deleted or never existed. */
  readonly repo?: string;
  readonly data?: string;
}

export interface Removal {
  readonly name: string;
  readonly destroyData: boolean;
}

/**
 * Destroys the agent of a changeling that is no longer declared. Its repo and data are kept unless they are to be
 * deleted too, and are reused if the changeling is declared again.
 *
 * @throws if the agent can't be destroyed; everything is kept then
 */
export async function removeWeb({ name, destroyData }: Removal, host: AgentHost): Promise<Removed> {
  const { paths, records, log } = host;
  const removed = await exclusively(host, name, async () => {
    const record = await records.read(name);
    const agentId = await host.destroy(name, record);
    const id = agentId === undefined ? {} : { agentId };
    if (record === undefined) return id;
    if (destroyData) {
      await host.deleteData(record);
      await records.remove(name);
      log(`${name} is removed, with its ${host.dataWords}`);
      return id;
    }
    const { hostAddress: _address, host: _machine, ...rest } = record;
    await records.write({ ...rest, removed: true });
    const { words, ...places } = host.kept(record);
    if (words !== undefined) log(`${name} is removed; kept${words}`);
    return { ...id, ...places };
  });
  // Nothing is left that needs the lock.
  if (readRecord(paths, name) === undefined) rmSync(lockPath(paths, name), { force: true });
  await notifyForwardingServer(host);
  return removed;
}
