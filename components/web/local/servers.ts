import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Mngr } from "../../mngr/client.ts";
import { profileMngr } from "../../mngr/profile.ts";
import { isRunning } from "../agent/drift.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import type { WebRecord } from "../agent/record.ts";
import { parseServersOutput, registeredServers, socketPathOf } from "../agent/servers.ts";
import { awaitServers, mainOf, type Servers, sinceStartCommand } from "../life-cycle/await-servers.ts";

/** The servers of an agent on this machine; none if it does not run. */
export async function serversHere(record: WebRecord): Promise<Servers> {
  const { mngrProfile, hostAddress = record.agentId } = record;
  const mngr = profileMngr(mngrProfile, process.env);
  const { agents } = await mngr.list();
  return isRunning(listedAgent(record, agents)) ? await serversSinceStart(mngr, hostAddress, 0) : {};
}

/** @throws MngrError */
export async function serversSinceStart(mngr: Pick<Mngr, "exec">, address: string, seconds: number): Promise<Servers> {
  const { results } = await mngr.exec([address], sinceStartCommand(seconds));
  const output = results.find(({ success }) => success)?.stdout ?? "";
  return Object.fromEntries(registeredServers(parseServersOutput(output)).servers);
}

/**
 * Waits until an agent that was just started has registered a server, and the server accepts connections from here.
 *
 * @param agentId to find it in mngr
 * @param address to reach it
 * @throws NotUp, MngrError
 */
export function awaitServersHere(
  mngr: Pick<Mngr, "exec" | "list">,
  { agentId, address, timeoutSeconds }: { agentId: string; address: string; timeoutSeconds: number },
): Promise<Servers> {
  return awaitServers(
    async (seconds, end) => {
      const servers = await serversSinceStart(mngr, address, seconds);
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
