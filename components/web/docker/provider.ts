import { rmSync } from "node:fs";
import { dockerClient } from "../../docker/client.ts";
import { readRecord, type WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import { lockPath, secretsOf, type WebAgents } from "../local/records.ts";
import { type AppliedOnMachine, applyOnMachine } from "../machine/apply-on-machine.ts";
import { destroyMachine } from "../machine/machines.ts";
import { type Removed, removeMachines } from "../machine/remove-machines.ts";
import { dockerRecord, dockerWeb } from "./machine-web.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";
import { removeMngrState } from "./mngr-state.ts";

/** Like `applyOnMachine`, with the installed secrets of the changeling. */
export async function applyOnDocker(
  spec: WebSpec,
  former: string | undefined,
  agents: WebAgents,
): Promise<AppliedOnMachine> {
  for (const name of former === undefined ? [spec.name] : [spec.name, former]) await leaveProfile(name, spec, agents);
  return await applyOnMachine(spec, former, {
    secrets: secretsOf(spec, agents),
    web: dockerWeb(spec.mngrProfile, agents),
  });
}

/** Another profile's mngr does not see its machine. The agent's repo and data are kept on volumes. */
async function leaveProfile(name: string, { mngrProfile }: WebSpec, agents: WebAgents): Promise<void> {
  const record = dockerRecord(agents.paths, name);
  if (record?.host === undefined || record.mngrProfile === mngrProfile) return;
  await destroyMachine(record.host, dockerWeb(record.mngrProfile, agents));
}

export interface RemovalFromDocker {
  readonly name: string;
  readonly mngrProfile: string | undefined;
  readonly destroyData: boolean;
}

/** Like `removeMachines`. */
export async function removeFromDocker(
  { name, mngrProfile, destroyData }: RemovalFromDocker,
  agents: WebAgents,
): Promise<Removed> {
  const { paths } = agents;
  const web = dockerWeb(dockerRecord(paths, name)?.mngrProfile ?? mngrProfile, agents);
  const removed = await removeMachines({ name, destroyData }, web);
  await removeStateOfMngr(agents);
  // Nothing is left that needs the lock.
  if (readRecord(paths, name) === undefined) rmSync(lockPath(paths, name), { force: true });
  return removed;
}

/** Only warns on failure: the changeling is already removed, and leftovers only take space. */
async function removeStateOfMngr({ installation, log }: WebAgents): Promise<void> {
  try {
    for (const volume of await removeMngrState(dockerClient(process.env), installation)) {
      log(`mngr's container and volume ${volume} are removed: no machine of anybody's is in their records`);
    }
  } catch (error) {
    log(`mngr's container with its records could not be removed: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Starts an agent that is stopped, or whose container is; does nothing if it runs.
 * @throws MngrError
 */
export async function ensureStarted({ hostAddress, mngrProfile }: WebRecord, env: NodeJS.ProcessEnv): Promise<void> {
  if (hostAddress !== undefined) await mngrOnDocker(mngrProfile, env).start(hostAddress);
}
