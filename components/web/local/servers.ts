import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readTextIfAny } from "../../host/files.ts";
import type { Mngr } from "../../mngr/client.ts";
import { agentFolder } from "../../mngr/host-dir.ts";
import { hostDirOf, profileMngr } from "../../mngr/profile.ts";
import { isRunning } from "../agent/drift.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import type { WebRecord } from "../agent/record.ts";
import { mostBytes, registeredServers, registrationFiles, socketPathOf } from "../agent/servers.ts";
import { awaitServers, mainOf, type Servers, startNote } from "../life-cycle/await-servers.ts";

/** The servers of an agent on this machine; none if it does not run. */
export async function serversHere(record: WebRecord): Promise<Servers> {
  const { agents } = await profileMngr(record.mngrProfile, process.env).list();
  const isUp = isRunning(listedAgent(record, agents));
  return isUp ? await serversSinceStart(agentFolder(hostDirOf(record.mngrProfile, process.env), record.agentId)) : {};
}

/**
 * What an agent on this machine has registered since its start, like `sinceStartCommand`. `mngr exec` would take a second
 * of processor time.
 *
 * @param folder mngr's, of the agent
 * @param seconds how long to wait for a registration
 */
export async function serversSinceStart(folder: string, seconds = 0): Promise<Servers> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(200)) {
    const [services = "", servers = "", agentServer = ""] = linesSinceStart(folder);
    if (Date.now() < end && !`${services}${servers}${agentServer}`.includes("{")) continue;
    return Object.fromEntries(registeredServers({ services, servers, agentServer }).servers);
  }
}

/** The new part of each of `registrationFiles`; empty for an agent that was never provisioned. */
function linesSinceStart(folder: string): string[] {
  const sizes = readTextIfAny(join(folder, startNote))?.split("\n");
  return sizes === undefined
    ? []
    : registrationFiles.map((file, index) => textFrom(join(folder, file), Number(sizes[index]) || 0));
}

/** The end of a regular file, from this byte on; empty if there is none. The agent controls what is at this path. */
function textFrom(path: string, start: number): string {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(file);
    if (!status.isFile()) return "";
    const from = Math.max(start, status.size - mostBytes);
    const bytes = Buffer.alloc(Math.max(0, status.size - from));
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, from));
  } catch {
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
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
