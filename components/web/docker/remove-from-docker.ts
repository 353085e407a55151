import { rmSync } from "node:fs";
import { readRecord } from "../agent/record.ts";
import { lockPath, type WebAgents } from "../local/records.ts";
import { type Removed, removeMachines } from "../machine/remove-machines.ts";
import { dockerRecord, dockerWeb } from "./machine-web.ts";

export interface RemovalFromDocker {
  readonly name: string;
  readonly mngrProfile: string | undefined;
  readonly destroyData: boolean;
}

/** As `removeMachines`. */
export async function removeFromDocker(
  { name, mngrProfile, destroyData }: RemovalFromDocker,
  agents: WebAgents,
): Promise<Removed> {
  const { paths } = agents;
  const web = dockerWeb(dockerRecord(paths, name)?.mngrProfile ?? mngrProfile, agents);
  const removed = await removeMachines({ name, destroyData }, web);
  // Nothing is left to be worked on.
  if (readRecord(paths, name) === undefined) rmSync(lockPath(paths, name), { force: true });
  return removed;
}
