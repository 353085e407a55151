import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Mngr } from "../../mngr/client.ts";
import { agentFolder } from "../../mngr/host-dir.ts";
import { hostDirOf, profileMngr } from "../../mngr/profile.ts";
import { isRunning } from "../agent/drift.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import type { WebRecord } from "../agent/record.ts";
import { registeredServers, socketPathOf } from "../agent/servers.ts";
import { awaitServers, mainOf, type Servers } from "../life-cycle/await-servers.ts";
import { registrationsSinceStart } from "./registrations.ts";

/** The servers of an agent on this machine; none if it does not run. */
export async function serversHere(record: WebRecord): Promise<Servers> {
  const { agents } = await profileMngr(record.mngrProfile, process.env).list();
  const isUp = isRunning(listedAgent(record, agents));
  return isUp ? await serversSinceStart(agentFolder(hostDirOf(record.mngrProfile, process.env), record.agentId)) : {};
}

/**
 * The servers that an agent on this machine has registered since its start.
 *
 * @param folder mngr's, of the agent
 * @param seconds how long to wait for a registration
 */
export async function serversSinceStart(folder: string, seconds = 0): Promise<Servers> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(200)) {
    const files = registrationsSinceStart(folder);
    if (Date.now() < end && !`${files.services}${files.servers}${files.agentServer}`.includes("{")) continue;
    return Object.fromEntries(registeredServers(files).servers);
  }
}

/**
 * Waits until an agent that was just started has registered a server, and the server accepts connections from here.
 *
 * @param folder mngr's, of the agent
 * @throws NotUp, MngrError
 */
export function awaitServersHere(
  mngr: Pick<Mngr, "list">,
  { agentId, folder, timeoutSeconds }: { agentId: string; folder: string; timeoutSeconds: number },
): Promise<Servers> {
  return awaitServers(
    async (seconds, end) => {
      const servers = await serversSinceStart(folder, seconds);
      const main = mainOf(servers);
      return { servers, isUp: main !== undefined && (await accepts(main, Math.min(end, Date.now() + 3000))) };
    },
    async () => (await mngr.list()).agents.find(({ id }) => id === agentId)?.state,
    timeoutSeconds,
  );
}

/**
 * Retries until `end`.
 * @param end milliseconds since 1970
 */
async function accepts(text: string, end: number): Promise<boolean> {
  const url = new URL(text);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const path = socketPathOf(url);
  const to = path === undefined ? { port, host: url.hostname.replace(/^\[|\]$/g, "") } : { path };
  for (;;) {
    if (await connects(to)) return true;
    if (Date.now() >= end) return false;
    await sleep(200);
  }
}

function connects(to: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...to, timeout: 1000 });
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
