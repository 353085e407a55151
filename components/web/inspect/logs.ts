import { setTimeout as sleep } from "node:timers/promises";
import { changelingCommand, upCommand } from "../../lib/own-commands.ts";
import { type Mngr, MngrError } from "../../mngr/client.ts";
import type { Answer, InspectedStack, NotFound } from "../../stack/inspection.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import { readRecord, type WebRecord } from "../agent/record.ts";
import { deployedWeb, type ListedWeb, mngrFor, stateOf } from "./list.ts";

type WebState = ListedWeb["state"];

/** Each poll runs mngr, which takes seconds of processor time. */
const pollMs = 5000;

/**
 * The log of a web changeling: its agent's conversation if there is one, otherwise its terminal.
 * @throws if there is neither; the error contains the agent's state and the remedy
 */
export async function webLog(record: WebRecord, mngr: LogSource): Promise<string> {
  const { agentId, hostAddress } = record;
  const address = hostAddress ?? agentId;
  const transcript = await mngr.transcript(address);
  if (transcript.trim() !== "") return transcript.trimEnd();
  try {
    return (await mngr.capture(address)).trimEnd();
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    const state = await observedState(record, mngr);
    // On request, mngr also shows the terminal of an agent whose process ended.
    const last = state === "died" ? await mngr.capture(address, true).catch(() => "") : "";
    if (last.trim() !== "") return last.trimEnd();
    throw new Error(withoutLog(record, state, error.message));
  }
}

export type LogSource = Pick<Mngr, "transcript" | "capture" | "list">;

async function observedState(record: WebRecord, mngr: LogSource): Promise<WebState> {
  const enabled = record.applied?.enabled ?? true;
  try {
    const { agents, isComplete } = await mngr.list([record.provider]);
    return stateOf(listedAgent(record, agents), { enabled, isComplete });
  } catch {
    return "unknown";
  }
}

/**
 * Explains why there is no log, with the remedy.
 * @param reason mngr's error, for a state that explains nothing
 */
function withoutLog({ name, data, repo }: WebRecord, state: WebState, reason: string): string {
  const cli = changelingCommand();
  const kept = `its data is in ${data}, its repo in ${repo}`;
  switch (state) {
    case "stopped":
    case "not running":
      return `${name} is stopped, so there is no terminal to show; start it with: ${cli} start ${name}\n${kept}`;
    case "died":
      return `${name}'s process ended and left no output; start it with: ${cli} start ${name}\n${kept}`;
    case "gone":
      return `mngr no longer has the agent of ${name}; recreate it with: ${upCommand()}\n${kept}`;
    default:
      return `the log of ${name} can't be read: ${reason}\nsee: ${cli} doctor`;
  }
}

/** The result of `logs`. */
export async function webLogs(
  stack: InspectedStack,
  name: string,
  run: string | undefined,
): Promise<Answer | NotFound> {
  const record = deployedRecord(stack, name);
  if (record === undefined) return { deployed: deployedWeb(stack).map((each) => each.name) };
  if (run !== undefined) {
    throw new Error(`${name} is a web changeling, which has no runs; its log: ${changelingCommand()} logs ${name}`);
  }
  const text = await webLog(record, await mngrFor(record, stack.paths));
  return {
    data: { name, agentId: record.agentId, text },
    text: text === "" ? "(it has printed nothing yet)" : text,
  };
}

/** Prints the log and then each addition, until the user stops it. */
export async function followWebLogs(
  stack: InspectedStack,
  name: string,
  print: (text: string) => void,
): Promise<never> {
  const record = deployedRecord(stack, name);
  if (record === undefined) throw new Error(`no web changeling "${name}" is deployed on this stack`);
  return followWebLog(record, await mngrFor(record, stack.paths), print);
}

function deployedRecord({ paths }: InspectedStack, name: string): WebRecord | undefined {
  const record = readRecord(paths, name);
  return record?.removed === true ? undefined : record;
}

async function followWebLog(record: WebRecord, mngr: LogSource, print: (text: string) => void): Promise<never> {
  let shown = "";
  for (;;) {
    const text = await webLog(record, mngr);
    const added = addedTo(shown, text);
    if (added !== "") print(`${added}\n`);
    shown = text;
    await sleep(pollMs);
  }
}

/** The lines added since the last poll; a terminal forgets its oldest lines. */
export function addedTo(before: string, now: string): string {
  if (before === "") return now;
  const lines = now.split("\n");
  return lines.slice(overlap(before.split("\n"), lines)).join("\n");
}

/**
 * How many lines the longest end of the old log has that the new one starts with. By Knuth, Morris and Pratt's algorithm,
 * because an agent can print any number of equal lines.
 */
function overlap(old: readonly string[], lines: readonly string[]): number {
  const shorter: number[] = [];
  const longer = (length: number, line: string | undefined): number => {
    let known = length;
    while (known > 0 && (known === lines.length || lines[known] !== line)) known = shorter[known - 1] ?? 0;
    return lines[known] === line ? known + 1 : 0;
  };
  for (const [index, line] of lines.entries()) shorter.push(index === 0 ? 0 : longer(shorter[index - 1] ?? 0, line));
  return old.reduce(longer, 0);
}
