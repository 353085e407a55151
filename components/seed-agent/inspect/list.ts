import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../lib/as-error.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { plainWords } from "../../lib/text.ts";
import {
  type Answer,
  type InspectedStack,
  includesProvider,
  type Listed,
  type Listing,
  type NotFound,
} from "../../stack/inspection.ts";
import { type InstalledSeedAgent, installedSeedAgents, readSeedAgent } from "../installed.ts";
import type { Status } from "../program/server/api.ts";
import { openProvider } from "../providers.ts";
import { ask } from "./ask.ts";

/** A seed agent as `list` shows it. */
export interface ListedSeedAgent extends Listed {
  readonly kind: "seed-agent";
  readonly url: string | null;
  /** As the agent reports it; null if it is disabled, or does not answer. */
  readonly status: Status | null;
}

export async function seedAgentListing(stack: InspectedStack): Promise<Listing<ListedSeedAgent>> {
  const warnings: string[] = [];
  const installed = installedSeedAgents(stack.paths).flatMap((name) => {
    try {
      return readSeedAgent(stack.paths, name) ?? [];
    } catch (error) {
      warnings.push(messageOf(error));
      return [];
    }
  });
  const changelings = await Promise.all(
    installed
      .filter(({ spec }) => includesProvider(stack, spec.provider))
      .map(async (each): Promise<ListedSeedAgent> => {
        const { spec, enabled, url = null } = each;
        const asked = enabled ? await ask(each, (client) => client.status()) : undefined;
        if (asked !== undefined && "problem" in asked)
          warnings.push(`${spec.name}: ${asked.problem}; repair it with: ${upCommand()}`);
        const status = asked !== undefined && "answer" in asked ? asked.answer : null;
        return { name: spec.name, kind: "seed-agent", provider: spec.provider, enabled, url, status };
      }),
  );
  return {
    changelings,
    columns: ["VERSION", "NODES", "MODE", "QUEUE"],
    cells: changelings.map(cellsOf),
    warnings,
  };
}

/** Every text comes from the agent, and is untrusted. */
function cellsOf({ enabled, status }: ListedSeedAgent): string[] {
  if (!enabled) return ["disabled", "", "", ""];
  if (status === null) return ["does not answer", "", "", ""];
  const healthy = status.nodes.filter(({ problem }) => problem === undefined).length;
  const probation = status.probation?.state === "under way" ? " (on probation)" : "";
  return [
    plainWords(status.active) + probation,
    healthy === status.nodes.length ? String(healthy) : `${healthy} of ${status.nodes.length} healthy`,
    status.mode + (status.paused ? " (paused)" : ""),
    status.queue === 0 ? "empty" : String(status.queue),
  ];
}

const tailLines = 200;

export async function seedAgentLogs(
  stack: InspectedStack,
  name: string,
  run: string | undefined,
): Promise<Answer | NotFound> {
  const installed = installedOf(stack, name);
  if (installed === undefined) return { deployed: installedSeedAgents(stack.paths) };
  if (run !== undefined) throw new Error(`${name} is a seed agent, which has no runs; leave ${run} out`);
  const text = await tail(stack, installed);
  return { data: { name, text }, text };
}

const pollMs = 1000;

/** Not every provider can stream a log, so this polls its tail. */
export async function followSeedAgent(
  stack: InspectedStack,
  name: string,
  print: (text: string) => void,
): Promise<never> {
  const installed = installedOf(stack, name);
  if (installed === undefined) throw new Error(`no seed agent "${name}" is deployed on this stack`);
  for (let before = ""; ; await sleep(pollMs)) {
    const now = await tail(stack, installed);
    const added = addedTo(before, now);
    if (added !== "") print(`${added.replace(/\n$/, "")}\n`);
    before = now;
  }
}

/** The lines that a later tail of a log has and an earlier one does not. */
export function addedTo(before: string, now: string): string {
  const known = before.split("\n").filter((line) => line !== "");
  const found = now.split("\n").filter((line) => line !== "");
  for (let start = 0; start < known.length; start += 1) {
    const rest = known.slice(start);
    if (rest.every((line, index) => found[index] === line)) return found.slice(rest.length).join("\n");
  }
  return found.join("\n");
}

async function tail({ installation, paths }: InspectedStack, { spec }: InstalledSeedAgent): Promise<string> {
  const provider = await openProvider(spec.provider);
  return provider.logs(spec.name, { installation, folder: paths.seedAgents, spec, lines: tailLines });
}

function installedOf(stack: InspectedStack, name: string): InstalledSeedAgent | undefined {
  return installedSeedAgents(stack.paths).includes(name) ? readSeedAgent(stack.paths, name) : undefined;
}
