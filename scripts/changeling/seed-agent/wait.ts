import { setTimeout as sleep } from "node:timers/promises";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { plainWords } from "../../../components/lib/text.ts";
import { SeedClientError } from "../../../components/seed-agent/client.ts";
import { type Change, endStates } from "../../../components/seed-agent/program/domain.ts";
import type { Status } from "../../../components/seed-agent/program/server/api.ts";
import { answer } from "../context.ts";
import type { SeedContext } from "./agent-of.ts";
import { stepText } from "./text.ts";

const pollMs = 300;

/** The exit code for a change's state. A change that waits for approval has passed its checks. */
export function exitCodeOf({ state }: Pick<Change, "state">): 0 | 1 {
  return state === "rejected" || state === "rolled-back" || state === "failed" ? 1 : 0;
}

/**
 * Prints each state and each step of a change as it happens, until it ends or waits for approval. The service may be
 * unreachable for a moment meanwhile, for instance while a node restarts.
 */
export async function follow(context: SeedContext, first: Change): Promise<Change> {
  const { client, agent, json } = context;
  // Not by printNote: the colours of steps are ours, and control characters are removed already.
  const printer = new ProgressPrinter((text) => !json && process.stderr.write(text), first);
  const leave = () => {
    printNote(`\nit goes on; see: ${changelingCommand()} seed show ${agent} ${first.id}\n`);
    process.exit(130);
  };
  process.once("SIGINT", leave);
  try {
    for (let change = first; ; change = await again(() => client.change(first.id))) {
      printer.print(change);
      if (change.state === "waiting" || endStates.includes(change.state)) return change;
      if (change.state !== "checking") printer.watch(change, await client.status().catch(() => undefined), agent);
      await sleep(pollMs);
    }
  } finally {
    process.off("SIGINT", leave);
  }
}

const mostFailures = 30;

async function again<Result>(ask: () => Promise<Result>): Promise<Result> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      const isAway = error instanceof SeedClientError && (error.code === "unreachable" || error.code === "unavailable");
      if (!isAway || failures === mostFailures) throw error;
      await sleep(1000);
    }
  }
}

/** Prints the progress of a change since the last call. */
export class ProgressPrinter {
  readonly #write: (text: string) => unknown;
  #state: Change["state"] | undefined;
  #steps = 0;
  #watched = "";
  #nextWatch = 0;

  /** @param first the change as it was shown before: for one that waits for approval, its steps were printed */
  constructor(write: (text: string) => unknown, first?: Change) {
    this.#write = write;
    const isKnown = first !== undefined && first.state !== "queued" && first.state !== "checking";
    if (isKnown) this.#steps = first.report?.steps.length ?? 0;
  }

  /** Prints what the change waits for, at most every 10 s: probation takes a minute or more. */
  watch(change: Change, status: Status | undefined, agent: string): void {
    const text = status === undefined ? undefined : waitingFor(change, status, agent);
    if (text === undefined || text === this.#watched || Date.now() < this.#nextWatch) return;
    this.#watched = text;
    this.#nextWatch = Date.now() + 10_000;
    this.#write(`  ${plainWords(text)}\n`);
  }

  print({ id, state, report }: Change): void {
    const steps = report?.steps ?? [];
    // Another node started the checks again.
    if (steps.length < this.#steps) this.#steps = 0;
    if (this.#state === undefined && (state === "queued" || state === "checking")) this.#say(id, "submitted");
    for (const step of steps.slice(this.#steps)) this.#write(`${stepText(step, process.stderr)}\n`);
    this.#steps = steps.length;
    if (state !== this.#state && state !== "queued") this.#say(id, state);
    this.#state = state;
  }

  #say(id: string, state: string): void {
    this.#write(`${plainWords(id)} is ${state}\n`);
  }
}

function waitingFor({ state, version }: Change, status: Status, agent: string): string | undefined {
  const isToBegin = state === "queued" || state === "approved";
  if (isToBegin && status.paused) return `${agent} is paused; go on with: ${changelingCommand()} seed resume ${agent}`;
  const { probation, nodes } = status;
  if (state !== "rolling-out" || probation?.state !== "under way" || probation.version !== version) return undefined;
  const running = nodes.filter(({ active }) => active === version).length;
  const where = nodes.length > 1 ? `, on ${running} of ${nodes.length} nodes` : "";
  return `${version} is on probation${where}: ${probation.requests} requests, ${probation.errors} failed`;
}

/** Prints where a change is now, with what to do next, and sets the exit code. */
export function answerChange(context: SeedContext, change: Change): void {
  answer(context, change, outcomeText(context.agent, change));
  process.exitCode = exitCodeOf(change);
}

export function outcomeText(agent: string, { id, state, reason, version }: Change): string {
  const seed = `${changelingCommand()} seed`;
  const why = reason === undefined ? "" : `: ${reason}`;
  switch (state) {
    case "waiting":
      return `${id} passed its checks, and waits for approval\nlook at it:   ${seed} show ${agent} ${id}\nactivate it:  ${seed} approve ${agent} ${id}`;
    case "active":
      return `${id} is active: ${agent} runs ${version ?? "it"}`;
    case "rejected":
    case "failed":
      return `${id} is ${state}${why}\nsee: ${seed} show ${agent} ${id}`;
    case "rolled-back":
      return `${id} is rolled back${why}\n${agent} runs the version before again; see: ${seed} audit ${agent}`;
    default:
      return `${id} is ${state}; follow it with: ${seed} show ${agent} ${id} --wait`;
  }
}
