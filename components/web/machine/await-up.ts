import { hasEnded } from "../../mngr/agent-state.ts";
import { parseServersOutput, registeredServers } from "../agent/servers.ts";
import { NotUp, type Servers, sinceStartCommand } from "../local/await-servers.ts";
import { agentAt } from "./machines.ts";
import type { MngrOnMachines } from "./mngr-on-machines.ts";

/**
 * Seconds for the first check. It is short, because an agent that fails usually ends at once; mngr limits a check to
 * 30.
 */
const firstPoll = 3;
const longestPoll = 20;

const mark = "=== up";

/**
 * POSIX sh to run after `sinceStartCommand`: reports whether the last registered URL, or port, accepts connections.
 * curl's exit code 7 means that nothing listens; any other means that something accepted.
 */
const answersCommand = [
  `url=$(printf %s "$text" | grep -oE '(https?://|unix:)[^"[:space:]]*' | tail -n 1); n=0;`,
  `[ -n "$url" ] || url=$(printf %s "$text" | sed -n 's|.*"port": *"*\\([0-9]*\\).*|http://127.0.0.1:\\1|p' | tail -n 1);`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
  'path=${url#unix:}; path=/${path#"${path%%[!/]*}"};',
  'while [ -n "$url" ]; do case $url in unix:*) curl -s -o /dev/null --max-time 3 --unix-socket "$path" http://localhost/ ;;',
  '*) curl -sk -o /dev/null --max-time 3 "$url" ;; esac;',
  `[ $? -eq 7 ] || { printf '\\n${mark} %s\\n' "$url"; break; };`,
  'n=$((n + 1)); [ "$n" -lt 15 ] || break; sleep 0.2; done',
].join(" ");

interface Observing {
  readonly servers: Servers;
  /** The URL that accepts connections. */
  readonly answers: string | undefined;
}

/**
 * Servers that an agent has registered since it was provisioned.
 * @param seconds how long to wait for one
 * @throws MngrError
 */
export async function serversOnMachine(mngr: MngrOnMachines, address: string, seconds: number): Promise<Servers> {
  return (await look(mngr, address, seconds)).servers;
}

async function look(mngr: MngrOnMachines, address: string, seconds: number): Promise<Observing> {
  const { results } = await mngr.exec([address], `${sinceStartCommand(seconds)}; ${answersCommand}`);
  const output = results[0]?.stdout ?? "";
  const at = output.lastIndexOf(`\n${mark} `);
  const texts = parseServersOutput(at === -1 ? output : output.slice(0, at));
  return {
    servers: Object.fromEntries(registeredServers(texts).servers),
    answers: at === -1 ? undefined : output.slice(at + mark.length + 2).trim(),
  };
}

/**
 * Waits until an agent has registered a server and one of its servers accepts connections inside its machine.
 *
 * @throws NotUp, MngrError
 */
export async function awaitUp(mngr: MngrOnMachines, address: string, timeoutSeconds: number): Promise<Servers> {
  const end = Date.now() + timeoutSeconds * 1000;
  for (let longest = firstPoll; ; longest = longestPoll) {
    const seconds = Math.max(0, Math.min(longest, (end - Date.now()) / 1000));
    const { servers, answers } = await look(mngr, address, seconds);
    const urls = Object.values(servers);
    if (urls.length > 0 && answers !== undefined) return servers;
    const agent = await agentAt(address, mngr);
    if (agent === undefined) throw new NotUp("mngr no longer has its agent");
    if (hasEnded(agent.state)) throw new NotUp(`its agent ended (${agent.state})`);
    if (Date.now() < end) continue;
    const within = `within ${timeoutSeconds} s (start_timeout_seconds)`;
    if (urls.length === 0) throw new NotUp(`it registered no server ${within}`);
    throw new NotUp(`its server at ${urls[0]} accepted no connection ${within}`);
  }
}
