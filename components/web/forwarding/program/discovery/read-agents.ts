import { inParallel } from "../../../../lib/parallel.ts";
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

/** mngr's report about one agent. */
export interface Reading {
  /** Its state according to mngr; `GONE` if mngr has no such agent, undefined if mngr could not read it. */
  readonly state: string | undefined;
  /** The agent's own output; undefined if its host could not be reached. */
  readonly output: AgentOutput | undefined;
  /** How to reach its host, if that is not this machine. */
  readonly ssh: SshAccess | undefined;
  /**
   * ISO 8601, UTC: when a user or the agent was last active; undefined if never, or if the agent does not report it.
   */
  readonly lastActivity?: string | undefined;
  /** The id of another agent, if it claims that one. Its output is ignored then. */
  readonly claimed?: string | undefined;
}

export interface AgentOutput {
  readonly registered: Registered;
  /** The `index.html` in its data. */
  readonly page: string | undefined;
  /** Proves to its servers that a request comes from the forwarding server. */
  readonly secret: string | undefined;
  /** The last message by a user or the agent, as the agent reports it: one line, truncated. */
  readonly lastMessage: string | undefined;
}

/** In bytes. A longer page is not shown while its agent is offline. */
const mostOfPage = 1_000_000;

/** In characters. Longer messages are truncated. */
const mostOfMessage = 200;

const marks = { agent: "=== agent", secret: "=== secret", message: "=== message", page: "=== page" };

/**
 * POSIX sh. Prints the agent's id, registrations, secret and last message. Its page is printed last, because it may
 * contain anything.
 */
const command = [
  `printf '${marks.agent} %s\\n' "$MNGR_AGENT_ID";`,
  `${readServersCommand};`,
  `printf '\\n${marks.secret}\\n'; head -c 200 "$MNGR_AGENT_STATE_DIR/forwarding-secret" 2>/dev/null;`,
  // On one line, so that nothing in it can be parsed as a mark.
  `printf '\\n${marks.message}\\n'; head -c ${mostOfMessage * 4} "$MNGR_AGENT_STATE_DIR/last-message" 2>/dev/null | tr '\\r\\n' '  ';`,
  `printf '\\n${marks.page}\\n';`,
  'page="$CHANGELING_DATA/index.html";',
  `if [ -f "$page" ] && [ "$(wc -c <"$page")" -le ${mostOfPage} ]; then cat "$page"; fi`,
].join(" ");

export interface AgentReadings {
  /** By agent id. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** What mngr failed to do; the readings contain everything else. */
  readonly problem: string | undefined;
}

/**
 * Queries mngr about all agents at once: one `mngr list` for their states and, in parallel, one `mngr exec` for their
 * output. Starts no agent.
 *
 * @throws MngrError if mngr could report nothing
 */
export async function readAgents(mngr: Mngr, records: readonly WebRecord[]): Promise<AgentReadings> {
  const providers = [...new Set(records.map(({ provider }) => provider))];
  const [list, firstTry] = await Promise.all([
    resultOf(mngr.list(providers)),
    resultOf(mngr.exec(records.map(addressOf), command)),
  ]);
  const agents = list.value?.agents ?? [];
  const there = records.filter((record) => listedAgent(record, agents) !== undefined);
  // One missing agent fails the command for all.
  const isRetried = firstTry.value === undefined && there.length > 0 && there.length < records.length;
  const exec = isRetried ? await resultOf(mngr.exec(there.map(addressOf), command)) : firstTry;
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
    const { id, output } = parseOutput(printed.get(agentId) ?? "");
    const own = id === agentId ? { output } : { output: undefined, claimed: id };
    return [agentId, { state, ssh: agent?.host?.ssh ?? undefined, lastActivity: lastActivityOf(agent), ...own }];
  });
  const problem = list.error ?? (isNeeded ? exec.error : undefined);
  return { readings: new Map(readings), problem: problem?.message };
}

/** mngr's address of an agent. It contains the host, so that an unreachable provider can't affect the query. */
function addressOf({ agentId, hostAddress }: WebRecord): string {
  return hostAddress ?? `${agentId}@localhost.local`;
}

/**
 * Output by agent id. mngr labels results with names that it reads on the agent's own machine, and an agent that is root
 * there can claim another's name. Every queried agent has one entry. So if each name occurs once, each entry belongs to
 * the agent with that name.
 *
 * @returns undefined if the names do not identify the agents; then each has to be queried alone
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

/** Each process of mngr takes seconds of processor time. */
const mostAtOnce = 4;

/** With one address in the query, all output is from that agent. */
async function printedAlone(mngr: Mngr, asked: readonly WebRecord[]): Promise<Map<string, string>> {
  const printed = await inParallel(asked, mostAtOnce, async (record): Promise<[string, string][]> => {
    const { value } = await resultOf(mngr.exec([addressOf(record)], command));
    const [result, another] = value?.results ?? [];
    return result === undefined || another !== undefined ? [] : [[record.agentId, result.stdout]];
  });
  return new Map(printed.flat());
}

/**
 * Parses the command's output for one agent; empty for unexpected output.
 * @returns the id in the output
 */
function parseOutput(stdout: string): { id?: string; output?: AgentOutput } {
  const [, id, rest = ""] = /^=== agent (agent-[0-9a-f]{32})\n(.*)$/s.exec(stdout) ?? [];
  const at = rest.indexOf(`\n${marks.page}`);
  if (id === undefined || at === -1) return {};
  // With an empty page, the output ends with the mark, without its newline.
  const page = rest.slice(at + marks.page.length + 2);
  const before = rest.slice(0, at);
  const [, secret] = /^=== secret\n([\w-]{22,128})$/m.exec(before) ?? [];
  const [, message] = /^=== message\n(.*)$/m.exec(before) ?? [];
  const registered = registeredServers(parseServersOutput(before.split(`\n${marks.secret}\n`, 1)[0] ?? ""));
  // The agent's own shell applied the size limit, so it is checked again here.
  const isShown = page !== "" && page.length <= mostOfPage;
  return {
    id,
    output: { registered, secret, lastMessage: shortened(message ?? ""), page: isShown ? page : undefined },
  };
}

/** @returns undefined for an empty message */
function shortened(message: string): string | undefined {
  const characters = [...plainWords(message).replace(/\s+/g, " ").trim()];
  if (characters.length === 0) return undefined;
  return characters.length <= mostOfMessage
    ? characters.join("")
    : `${characters.slice(0, mostOfMessage).join("").trimEnd()}…`;
}

type Outcome<Value> =
  | { readonly value: Value; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: MngrError };

async function resultOf<Value>(work: Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { value: await work };
  } catch (error) {
    if (error instanceof MngrError) return { error };
    throw error;
  }
}
