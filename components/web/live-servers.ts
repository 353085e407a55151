import { installationPaths } from "../host/installation-paths.ts";
import { type Agent, MngrError } from "../mngr/client.ts";
import { profileMngr } from "../mngr/profile-mngr.ts";
import { isRunning } from "./agent/drift.ts";
import { listedAgent } from "./agent/listed-agent.ts";
import { readRecord, type WebRecord } from "./agent/record.ts";
import { mngrOnDocker } from "./docker/mngr-on-docker.ts";
import { type Servers, serversSinceStart } from "./local/await-servers.ts";
import { serversOnMachine } from "./machine/await-up.ts";

/**
 * Where the servers of an agent that this machine's mngr runs listen now, after an update that failed: what ran before
 * may run again, elsewhere. None where it does not run, or nobody can tell.
 *
 * @param name the changeling's
 */
export async function liveServers(name: string, installation: string): Promise<Servers> {
  const record = readRecord(installationPaths(installation), name);
  if (record?.applied === undefined || record.removed === true) return {};
  try {
    return await (record.provider === "docker" ? inDocker(record) : onThisMachine(record));
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    return {};
  }
}

async function onThisMachine(record: WebRecord): Promise<Servers> {
  const { mngrProfile, hostAddress = record.agentId } = record;
  const mngr = profileMngr(mngrProfile, process.env);
  const { agents } = await mngr.list();
  return runs(record, agents) ? await serversSinceStart(mngr, hostAddress, 0) : {};
}

async function inDocker(record: WebRecord): Promise<Servers> {
  const { mngrProfile: profile, hostAddress } = record;
  if (hostAddress === undefined) return {};
  const mngr = mngrOnDocker(profile, process.env);
  return runs(record, await mngr.agents()) ? await serversOnMachine(mngr, hostAddress, 0) : {};
}

function runs(record: WebRecord, agents: readonly Agent[]): boolean {
  return isRunning(listedAgent(record, agents));
}
