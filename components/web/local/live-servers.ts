import { profileMngr } from "../../mngr/profile.ts";
import type { WebRecord } from "../agent/record.ts";
import { isListedRunning } from "../this-machine.ts";
import { type Servers, serversSinceStart } from "./await-servers.ts";

/** The servers of an agent on this machine; none if it does not run. */
export async function serversHere(record: WebRecord): Promise<Servers> {
  const { mngrProfile, hostAddress = record.agentId } = record;
  const mngr = profileMngr(mngrProfile, process.env);
  const { agents } = await mngr.list();
  return isListedRunning(record, agents) ? await serversSinceStart(mngr, hostAddress, 0) : {};
}
