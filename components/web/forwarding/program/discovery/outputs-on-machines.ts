import { inParallel } from "../../../../lib/parallel.ts";
import { type Agent, type Executed, type Mngr, MngrError, TooMuchOutput } from "../../../../mngr/client.ts";
import { listedAgent } from "../../../agent/listed-agent.ts";
import type { WebRecord } from "../../../agent/record.ts";
import { parseServersOutput, readServersCommand } from "../../../agent/servers.ts";
import { type AgentOutput, mostOfPage, outputFiles, outputFrom } from "./agent-output.ts";

/** The record of an agent whose machine is known. The address contains it, so that no other provider is queried. */
export type Addressed = WebRecord & { readonly hostAddress: string };

export interface Printed {
  /** The id in the output. Another agent's if the agent claims to be that one. */
  readonly id?: string;
  readonly output?: AgentOutput;
}

export interface PrintedOutputs {
  /** By agent id. */
  readonly printed: ReadonlyMap<string, Printed>;
  /** Why mngr could run nothing. */
  readonly error: MngrError | undefined;
}

const marks = { agent: "=== agent", secret: "=== secret", message: "=== message", page: "=== page" };

/** POSIX sh that prints the start of a file in the agent's folder. A FIFO would have no end. */
const printStart = ({ file, mostBytes }: { readonly file: string; readonly mostBytes: number }) =>
  `file="$MNGR_AGENT_STATE_DIR/${file}"; [ ! -f "$file" ] || head -c ${mostBytes} "$file" 2>/dev/null`;

/**
 * POSIX sh. Prints the agent's id, registrations, secret and last message. Its page is printed last, because it may
 * contain anything.
 */
const command = [
  `printf '${marks.agent} %s\\n' "$MNGR_AGENT_ID";`,
  `${readServersCommand};`,
  `printf '\\n${marks.secret}\\n'; ${printStart(outputFiles.secret)};`,
  // On one line, so that nothing in it can be parsed as a mark.
  `printf '\\n${marks.message}\\n'; { ${printStart(outputFiles.message)}; } | tr '\\r\\n' '  ';`,
  `printf '\\n${marks.page}\\n';`,
  'page="$CHANGELING_DATA/index.html";',
  `if [ -f "$page" ] && [ "$(wc -c <"$page")" -le ${mostOfPage} ]; then cat "$page"; fi`,
].join(" ");

/**
 * Has mngr print the output of all agents at once, on their machines. Starts no agent.
 *
 * @param listed the agents that mngr lists, as soon as it does
 */
export async function outputsOnMachines(
  mngr: Pick<Mngr, "exec">,
  records: readonly Addressed[],
  listed: Promise<readonly Agent[]>,
): Promise<PrintedOutputs> {
  if (records.length === 0) return { printed: new Map(), error: undefined };
  const exec = (of: readonly Addressed[]) => {
    const addresses = of.map(({ hostAddress }) => hostAddress);
    return resultOf(mngr.exec(addresses, command));
  };
  const firstTry = await exec(records);
  const agents = await listed;
  const there = records.filter((record) => listedAgent(record, agents) !== undefined);
  // One missing agent fails the command for all.
  const isRetried = firstTry.value === undefined && there.length > 0 && there.length < records.length;
  const { value, error } = isRetried ? await exec(there) : firstTry;
  const asked = isRetried ? there : records;
  const together = error instanceof TooMuchOutput ? undefined : printedBy(asked, agents, value);
  const printed = together ?? (await printedAlone(mngr, asked));
  return { printed: new Map([...printed].map(([id, stdout]) => [id, parseOutput(stdout)])), error };
}

/**
 * Output by agent id. mngr labels results with names that it reads on the agent's own machine, and an agent that is root
 * there can claim another's name. Every queried agent has one entry. So if each name occurs once, each entry belongs to
 * the agent with that name.
 *
 * @returns undefined if the names do not identify the agents; then each has to be queried alone
 */
function printedBy(
  asked: readonly Addressed[],
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
async function printedAlone(mngr: Pick<Mngr, "exec">, asked: readonly Addressed[]): Promise<Map<string, string>> {
  const printed = await inParallel(asked, mostAtOnce, async (record): Promise<[string, string][]> => {
    const { value } = await resultOf(mngr.exec([record.hostAddress], command));
    const [result, another] = value?.results ?? [];
    return result === undefined || another !== undefined ? [] : [[record.agentId, result.stdout]];
  });
  return new Map(printed.flat());
}

/** Parses the command's output for one agent; empty for unexpected output. */
function parseOutput(stdout: string): Printed {
  const [, id, rest = ""] = /^=== agent (agent-[0-9a-f]{32})\n(.*)$/s.exec(stdout) ?? [];
  const at = rest.indexOf(`\n${marks.page}`);
  if (id === undefined || at === -1) return {};
  // With an empty page, the output ends with the mark, without its newline.
  const page = rest.slice(at + marks.page.length + 2);
  const before = rest.slice(0, at);
  const [, secret = ""] = /^=== secret\n([^\n]*)/m.exec(before) ?? [];
  const [, message = ""] = /^=== message\n([^\n]*)/m.exec(before) ?? [];
  const registrations = parseServersOutput(before.split(`\n${marks.secret}\n`, 1)[0] ?? "");
  return { id, output: outputFrom({ registrations, secret, message, page }) };
}

export type Outcome<Value> =
  | { readonly value: Value; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: MngrError };

export async function resultOf<Value>(work: Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { value: await work };
  } catch (error) {
    if (error instanceof MngrError) return { error };
    throw error;
  }
}
