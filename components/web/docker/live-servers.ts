import type { WebRecord } from "../agent/record.ts";
import type { Servers } from "../local/await-servers.ts";
import { serversOnMachine } from "../machine/await-up.ts";
import { isListedRunning } from "../this-machine.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";

/** The servers of an agent in Docker; none if it does not run. */
export async function serversInDocker(record: WebRecord): Promise<Servers> {
  const { mngrProfile: profile, hostAddress } = record;
  if (hostAddress === undefined) return {};
  const mngr = mngrOnDocker(profile, process.env);
  return isListedRunning(record, await mngr.agents()) ? await serversOnMachine(mngr, hostAddress, 0) : {};
}
