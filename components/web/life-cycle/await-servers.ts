import { hasEnded } from "../../mngr/agent-state.ts";
import { approveKeyCommand } from "../../mngr/approve-key.ts";
import { mostBytes, registrationFiles } from "../agent/servers.ts";

/**
 * An agent registers its servers in files that outlive it, so registrations from before its start are ignored:
 * provisioning notes the size of each file, and only later lines count.
 */

const files = registrationFiles.join(" ");
/** The note, in the agent's state folder: a line per file. */
export const startNote = "changelings-start";

/**
 * POSIX sh that runs while the agent is provisioned: has Claude Code accept its key, writes its settings (spec 001) and the
 * sizes of those files.
 */
export const prepareCommand = [
  `${approveKeyCommand};`,
  'settings="$MNGR_AGENT_STATE_DIR/settings.toml"; { [ ! -e "$settings" ] && [ ! -L "$settings" ]; } || rm -f "$settings";',
  'if [ -f .changelings/settings.toml ]; then cp .changelings/settings.toml "$settings" || exit 1; fi;',
  'cd "$MNGR_AGENT_STATE_DIR" || exit 1;',
  `for file in ${files}; do { [ -f "$file" ] && wc -c <"$file"; } 2>/dev/null || echo 0; done >${startNote}`,
].join(" ");

/** POSIX sh for `mngr exec` on another machine: waits for a registration since the start, and prints what was registered. */
export function sinceStartCommand(seconds: number): string {
  return [
    'cd "$MNGR_AGENT_STATE_DIR" || exit 1; n=0;',
    `while :; do text=$(for file in ${files}; do read -r size || size=0; printf '\\n--- %s\\n' "$file";`,
    `[ ! -f "$file" ] || tail -c "+$((size + 1))" "$file" | tail -c ${mostBytes}; done <${startNote});`,
    `case $text in *'{'*) break ;; esac; n=$((n + 1)); [ "$n" -lt ${Math.ceil(seconds * 5)} ] || break; sleep 0.2;`,
    `done; printf '%s\\n' "$text"`,
  ].join(" ");
}

/** The agent did not start; the message says why. */
export class NotUp extends Error {}

/** URLs by server name. */
export type Servers = Readonly<Record<string, string>>;

/** The first check is short, because an agent that fails usually ends at once. mngr limits a check to 30 seconds. */
const firstPollSeconds = 3;
const longestPollSeconds = 20;

/** The result of checking an agent that was just started. */
export interface Checked {
  readonly servers: Servers;
  /** Whether one of them accepts connections. */
  readonly isUp: boolean;
}

/**
 * Waits until an agent that was just started has registered a server, and the server accepts connections.
 *
 * @param check waits for a server for up to this many seconds
 * @param stateOf mngr's state of the agent; undefined if mngr no longer has it
 * @throws NotUp, MngrError
 */
export async function awaitServers(
  check: (seconds: number, end: number) => Promise<Checked>,
  stateOf: () => Promise<string | undefined>,
  timeoutSeconds: number,
): Promise<Servers> {
  const end = Date.now() + timeoutSeconds * 1000;
  for (let longest = firstPollSeconds; ; longest = longestPollSeconds) {
    const left = (end - Date.now()) / 1000;
    const { servers, isUp } = await check(Math.max(0, Math.min(longest, left)), end);
    const main = mainOf(servers);
    if (main !== undefined && isUp) return servers;
    const state = await stateOf();
    if (state === undefined) throw new NotUp("mngr no longer has its agent");
    if (hasEnded(state)) throw new NotUp(`its agent ended (${state})`);
    if (Date.now() < end) continue;
    const within = `within ${timeoutSeconds} s (start_timeout_seconds)`;
    if (main === undefined) throw new NotUp(`it registered no server ${within}`);
    throw new NotUp(`its server at ${main} accepted no connection ${within}`);
  }
}

/** The URL of the server that people open. */
export function mainOf(servers: Servers): string | undefined {
  return servers["web"] ?? Object.values(servers)[0];
}
