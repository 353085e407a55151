import { parseServersOutput, registeredServers } from "../agent/servers.ts";
import { awaitServers, type Checked, type Servers, sinceStartCommand } from "../life-cycle/await-servers.ts";
import { agentAt } from "./machines.ts";
import type { MngrOnMachines } from "./mngr-on-machines.ts";

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

/**
 * Servers that an agent has registered since it was provisioned.
 * @param seconds how long to wait for one
 * @throws MngrError
 */
export async function serversOnMachine(mngr: MngrOnMachines, address: string, seconds: number): Promise<Servers> {
  return (await observeServers(mngr, address, seconds)).servers;
}

async function observeServers(mngr: MngrOnMachines, address: string, seconds: number): Promise<Checked> {
  const { results } = await mngr.exec([address], `${sinceStartCommand(seconds)}; ${answersCommand}`);
  const output = results[0]?.stdout ?? "";
  const at = output.lastIndexOf(`\n${mark} `);
  const texts = parseServersOutput(at === -1 ? output : output.slice(0, at));
  return { servers: Object.fromEntries(registeredServers(texts).servers), isUp: at !== -1 };
}

/**
 * Waits until an agent has registered a server and one of its servers accepts connections inside its machine.
 *
 * @throws NotUp, MngrError
 */
export function awaitUp(mngr: MngrOnMachines, address: string, timeoutSeconds: number): Promise<Servers> {
  const stateOf = async () => (await agentAt(address, mngr))?.state;
  return awaitServers((seconds) => observeServers(mngr, address, seconds), stateOf, timeoutSeconds);
}
