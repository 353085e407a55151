import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { relative } from "node:path";
import { readRecord, removeRecord, type WebRecord, writeRecord } from "../agent/record.ts";
import { agentOf, exclusively, localRecord, lockPath, tellForwardingServer, type WebAgents } from "./records.ts";

export interface Removed {
  readonly agentId?: string;
  /** Their locations; absent if they were deleted or never existed. */
  readonly repo?: string;
  readonly data?: string;
}

export interface Removal {
  readonly name: string;
  readonly mngrProfile: string | undefined;
  readonly destroyData: boolean;
}

/**
 * Destroys the agent of a changeling that is no longer declared. Its repo and data are kept unless they are to be
 * deleted too, and are reused if the changeling is declared again.
 *
 * @throws MngrError if the agent can't be destroyed; everything is kept then
 */
export async function removeWeb(removal: Removal, web: WebAgents): Promise<Removed> {
  const { name, mngrProfile, destroyData } = removal;
  const { paths, installation } = web;
  const removed = await exclusively(web, name, async () => {
    const record = localRecord(paths, name);
    const mngr = web.mngr(record?.mngrProfile ?? mngrProfile);
    // Without a record, the labels identify the agent.
    const agentId = record?.agentId ?? agentOf(name, (await mngr.list()).agents, installation)?.id;
    if (agentId !== undefined) await mngr.destroy([agentId]);
    const places = record === undefined ? {} : destroyData ? erased(record, web) : kept(record, web);
    return { ...(agentId === undefined ? {} : { agentId }), ...places };
  });
  // Nothing is left that needs the lock.
  if (readRecord(paths, name) === undefined) rmSync(lockPath(paths, name), { force: true });
  await tellForwardingServer(web);
  return removed;
}

function kept(record: WebRecord, { paths, log }: WebAgents): Removed {
  writeRecord(paths, { ...record, removed: true });
  const repo = existsSync(record.repo) ? { repo: record.repo } : {};
  const data = existsSync(record.data) ? { data: record.data } : {};
  const places = [...Object.values(repo), ...Object.values(data)];
  if (places.length > 0) log(`${record.name} is removed; kept: ${places.join(", ")}`);
  return { ...repo, ...data };
}

function erased(record: WebRecord, { paths, log }: WebAgents): Removed {
  if (!relative(record.data, homedir()).startsWith("..")) {
    throw new Error(
      `${record.data} contains your home folder, so it is not deleted; set another data, or destroy_data = false`,
    );
  }
  for (const place of [record.data, record.repo, `${record.repo}.unfinished`, `${record.repo}.merge`]) {
    rmSync(place, { recursive: true, force: true, maxRetries: 3 });
  }
  removeRecord(paths, record.name);
  log(`${record.name} is removed, with its repo and data`);
  return {};
}
