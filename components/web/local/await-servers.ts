import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { hasEnded } from "../../mngr/agent-state.ts";
import type { Mngr } from "../../mngr/client.ts";
import { parseServersOutput, registeredServers, socketPathOf } from "../agent/servers.ts";

/**
 * An agent registers its servers in files that outlive it, so registrations from before its start mean nothing.
 * Provisioning notes the size of each file, and only what is appended later counts.
 */

const files = "events/services/events.jsonl logs/servers.jsonl logs/agent_server.jsonl";

/** POSIX sh to run while the agent is provisioned: writes its settings (spec 001) and the sizes of those files. */
export const prepareCommand = [
  'settings="$MNGR_AGENT_STATE_DIR/settings.toml"; rm -f "$settings";',
  'if [ -f .changelings/settings.toml ]; then cp .changelings/settings.toml "$settings" || exit 1; fi;',
  'cd "$MNGR_AGENT_STATE_DIR" || exit 1;',
  `for file in ${files}; do cat "$file" 2>/dev/null | wc -c; done >changelings-start`,
].join(" ");

/** POSIX sh for `mngr exec`: waits for a registration since the start, and prints what was registered. */
export function sinceStartCommand(seconds: number): string {
  return [
    'cd "$MNGR_AGENT_STATE_DIR" || exit 1; n=0;',
    `while :; do text=$(for file in ${files}; do read -r size || size=0; printf '\\n--- %s\\n' "$file";`,
    `[ ! -f "$file" ] || tail -c "+$((size + 1))" "$file" | tail -c 262144; done <changelings-start);`,
    `case $text in *'{'*) break ;; esac; n=$((n + 1)); [ "$n" -lt ${Math.ceil(seconds * 5)} ] || break; sleep 0.2;`,
    `done; printf '%s\\n' "$text"`,
  ].join(" ");
}

/** The agent did not start; the message says why. */
export class NotUp extends Error {}

/** URLs by server name. */
export type Servers = Readonly<Record<string, string>>;

/** Seconds for the first check. It is short, because an agent that fails usually ends at once. */
const firstPoll = 3;
const longestPoll = 20;

/** @throws MngrError */
export async function serversSinceStart(mngr: Mngr, address: string, seconds: number): Promise<Servers> {
  const { results } = await mngr.exec([address], sinceStartCommand(seconds));
  const output = results.find(({ success }) => success)?.stdout ?? "";
  return Object.fromEntries(registeredServers(parseServersOutput(output)).servers);
}

/**
 * Waits until an agent that was just started has registered a server, and the server accepts connections.
 *
 * @param agentId to find it in mngr
 * @param address to reach it
 * @throws NotUp, MngrError
 */
export async function awaitServers(
  mngr: Mngr,
  { agentId, address, timeoutSeconds }: { agentId: string; address: string; timeoutSeconds: number },
): Promise<Servers> {
  const end = Date.now() + timeoutSeconds * 1000;
  for (let look = firstPoll; ; look = longestPoll) {
    const left = (end - Date.now()) / 1000;
    const servers = await serversSinceStart(mngr, address, Math.max(0, Math.min(look, left)));
    const main = servers["web"] ?? Object.values(servers)[0];
    if (main !== undefined && (await accepts(main, Math.min(end, Date.now() + 3000)))) return servers;
    const { agents } = await mngr.list();
    const state = agents.find(({ id }) => id === agentId)?.state;
    if (state === undefined) throw new NotUp("mngr no longer has its agent");
    if (hasEnded(state)) throw new NotUp(`its agent ended (${state})`);
    if (Date.now() < end) continue;
    const within = `within ${timeoutSeconds} s (start_timeout_seconds)`;
    if (main === undefined) throw new NotUp(`it registered no server ${within}`);
    throw new NotUp(`its server at ${main} accepted no connection ${within}`);
  }
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
