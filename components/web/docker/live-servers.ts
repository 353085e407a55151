import { isRunning } from "../agent/drift.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import type { WebRecord } from "../agent/record.ts";
import type { Servers } from "../life-cycle/await-servers.ts";
import { serversOnMachine } from "../machine/await-up.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";

/** The servers of an agent in Docker; none if it does not run. */
export async function serversInDocker(record: WebRecord): Promise<Servers> {
  const { mngrProfile: profile, hostAddress } = record;
  if (hostAddress === undefined) return {};
  const mngr = mngrOnDocker(profile, process.env);
  return isRunning(listedAgent(record, await mngr.agents())) ? await serversOnMachine(mngr, hostAddress, 0) : {};
}
