import { plainWords } from "../../../../lib/text.ts";
import {
  type Agent,
  type Executed,
  type Mngr,
  MngrError,
  type SshAccess,
  TooMuchOutput,
} from "../../../../mngr/client.ts";
import { lastActivityOf } from "../../../agent/last-activity.ts";
import { listedAgent } from "../../../agent/listed-agent.ts";
import type { WebRecord } from "../../../agent/record.ts";
import { parseServersOutput, type Registered, readServersCommand, registeredServers } from "../../../agent/servers.ts";

/** What mngr said of one agent. */
export interface Reading {
  /** mngr's word for its state; `GONE` when mngr has no such agent, undefined when mngr could not tell. */
  readonly state: string | undefined;
  /** What it said of itself; undefined when its host could not be asked. */
  readonly said: Said | undefined;
  /** How its host is reached, for one that is not this machine. */
  readonly ssh: SshAccess | undefined;
  /** ISO 8601, UTC: when a person or the agent last said or did something; undefined: never, or the agent reports none. */
  readonly lastActivity?: string | undefined;
  /** The id of another agent, when it claims to be that one; then nothing that it said counts. */
  readonly claimed?: string | undefined;
}

export interface Said {
  readonly registered: Registered;
  /** The `index.html` in its data. */
  readonly page: string | undefined;
  /** By which its servers recognise the forwarding server. */
  readonly secret: string | undefined;
  /** What was said last, by a person or the agent, as it reports it: one line, cut short. */
  readonly lastMessage: string | undefined;
}

/** A longer page than this, in bytes, is not shown while its agent is away. */
const mostOfPage = 1_000_000;

/** A longer message is cut, in characters. */
const mostOfMessage = 200;

const marks = { agent: "=== agent", secret: "=== secret", message: "=== message", page: "=== page" };

/** POSIX sh: prints the agent's id, its registrations, its secret, the last message, and its page last, since that may hold anything. */
const command = [
  `printf '${marks.agent} %s\\n' "$MNGR_AGENT_ID";`,
  `${readServersCommand};`,
  `printf '\\n${marks.secret}\\n'; head -c 200 "$MNGR_AGENT_STATE_DIR/forwarding-secret" 2>/dev/null;`,
  // As one line, so that nothing in it is taken for a mark.
  `printf '\\n${marks.message}\\n'; head -c ${mostOfMessage * 4} "$MNGR_AGENT_STATE_DIR/last-message" 2>/dev/null | tr '\\r\\n' '  ';`,
  `printf '\\n${marks.page}\\n';`,
  'page="$CHANGELING_DATA/index.html";',
  `if [ -f "$page" ] && [ "$(wc -c <"$page")" -le ${mostOfPage} ]; then cat "$page"; fi`,
].join(" ");

export interface AgentReadings {
  /** By the agent's id. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** What mngr could not do; what it could is in the readings. */
  readonly problem: string | undefined;
}

/**
 * Asks mngr for all agents at once: one `mngr list` for how they are, and at the same time one `mngr exec` for what
 * they say. Starts no agent.
 *
 * @throws MngrError when mngr could tell nothing
 */
export async function readAgents(mngr: Mngr, records: readonly WebRecord[]): Promise<AgentReadings> {
  const providers = [...new Set(records.map(({ provider }) => provider))];
  const [list, firstTry] = await Promise.all([
    settled(mngr.list(providers)),
    settled(mngr.exec(records.map(addressOf), command)),
  ]);
  const agents = list.value?.agents ?? [];
  const there = records.filter((record) => listedAgent(record, agents) !== undefined);
  // One that is gone fails the command for all.
  const isRetried = firstTry.value === undefined && there.length > 0 && there.length < records.length;
  const exec = isRetried ? await settled(mngr.exec(there.map(addressOf), command)) : firstTry;
  const isNeeded = list.value === undefined || there.length > 0;
  if (list.value === undefined && exec.value === undefined) throw list.error;
  const asked = isRetried ? there : records;
  const isFlooded = exec.error instanceof TooMuchOutput;
  const together = isFlooded ? undefined : printedBy(asked, agents, exec.value);
  const printed = together ?? (await printedAlone(mngr, asked));
  const readings = records.map((record): [string, Reading] => {
    const { agentId } = record;
    const agent = listedAgent(record, agents);
    const state = agent?.state ?? (list.value?.isComplete ? "GONE" : undefined);
    const { id, said } = parseSaid(printed.get(agentId) ?? "");
    const own = id === agentId ? { said } : { said: undefined, claimed: id };
    return [agentId, { state, ssh: agent?.host?.ssh ?? undefined, lastActivity: lastActivityOf(agent), ...own }];
  });
  const problem = list.error ?? (isNeeded ? exec.error : undefined);
  return { readings: new Map(readings), problem: problem?.message };
}

/** mngr's address of an agent: naming its host keeps an unreachable provider out of the answer. */
function addressOf({ agentId, hostAddress }: WebRecord): string {
  return hostAddress ?? `${agentId}@localhost.local`;
}

/**
 * What each agent printed, by its id. mngr labels results with names that it reads on the agent's own machine, and an
 * agent that is root there can take another's name. Every agent that was asked has one entry, so as long as each name
 * occurs once, each entry is from the agent of that name.
 *
 * @returns undefined when the names do not identify the agents: then each has to be asked alone
 */
function printedBy(
  asked: readonly WebRecord[],
  agents: readonly Agent[],
  executed: Executed | undefined,
): Map<string, string> | undefined {
  if (executed === undefined) return new Map();
  const { results, failed } = executed;
  const found = [...results, ...failed].map(({ agent }) => agent).sort();
  const names = new Map(asked.map((record) => [listedAgent(record, agents)?.name ?? record.agentName, record.agentId]));
  const isClear = names.size === asked.length && String(found) === String([...names.keys()].sort());
  if (!isClear) return undefined;
  return new Map(results.map(({ agent, stdout }) => [names.get(agent) ?? "", stdout]));
}

/** With one address in the question, whatever comes back is from there. */
async function printedAlone(mngr: Mngr, asked: readonly WebRecord[]): Promise<Map<string, string>> {
  const printed = asked.map(async (record): Promise<[string, string][]> => {
    const { value } = await settled(mngr.exec([addressOf(record)], command));
    const [result, another] = value?.results ?? [];
    return result === undefined || another !== undefined ? [] : [[record.agentId, result.stdout]];
  });
  return new Map((await Promise.all(printed)).flat());
}

/** What the command printed for one agent; nothing when it printed something else. @returns the id that it gave */
function parseSaid(stdout: string): { id?: string; said?: Said } {
  const [, id, rest = ""] = /^=== agent (agent-[0-9a-f]{32})\n(.*)$/s.exec(stdout) ?? [];
  const at = rest.indexOf(`\n${marks.page}`);
  if (id === undefined || at === -1) return {};
  // An empty one leaves the mark at the end, without its newline.
  const page = rest.slice(at + marks.page.length + 2);
  const before = rest.slice(0, at);
  const [, secret] = /^=== secret\n([\w-]{22,128})$/m.exec(before) ?? [];
  const [, message] = /^=== message\n(.*)$/m.exec(before) ?? [];
  const registered = registeredServers(parseServersOutput(before.split(`\n${marks.secret}\n`, 1)[0] ?? ""));
  // The shell that measured it was the agent's.
  const isShown = page !== "" && page.length <= mostOfPage;
  return { id, said: { registered, secret, lastMessage: shortened(message ?? ""), page: isShown ? page : undefined } };
}

/** @returns undefined for one that says nothing */
function shortened(message: string): string | undefined {
  const characters = [...plainWords(message).replace(/\s+/g, " ").trim()];
  if (characters.length === 0) return undefined;
  return characters.length <= mostOfMessage
    ? characters.join("")
    : `${characters.slice(0, mostOfMessage).join("").trimEnd()}…`;
}

type Settled<Value> =
  | { readonly value: Value; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: MngrError };

async function settled<Value>(work: Promise<Value>): Promise<Settled<Value>> {
  try {
    return { value: await work };
  } catch (error) {
    if (error instanceof MngrError) return { error };
    throw error;
  }
}
