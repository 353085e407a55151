import type { InstallationPaths } from "../../host/installation-paths.ts";
import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { printNote } from "../../lib/terminal.ts";
import { fromNow } from "../../lib/times.ts";
import { isLive } from "../../mngr/agent-state.ts";
import { type Agent, type Mngr, mngrClient } from "../../mngr/client.ts";
import { mngrHostDir } from "../../mngr/host-dir.ts";
import { agentFiles, runningAgents } from "../../mngr/running-agents.ts";
import type { InspectedStack, Listing } from "../../stack/inspection.ts";
import { lastActivityOf } from "../agent/last-activity.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import { readRecords, type WebRecord } from "../agent/record.ts";
import { mngrEnvironmentOf, mngrKeyOf } from "../forwarding/program/discovery/mngr-of.ts";
import { deployedPageUrl } from "../forwarding/server-client.ts";

/** The current state of a web changeling. */
export interface ListedWeb {
  readonly name: string;
  readonly kind: "web";
  readonly provider: WebRecord["provider"];
  readonly agentId: string;
  readonly enabled: boolean;
  /**
   * `stopped` is as declared; `not running`, `died` and `gone` (from mngr) are drift; `failed`: it never started;
   * `unknown`: mngr could not report its state.
   */
  readonly state: "running" | "stopped" | "not running" | "died" | "gone" | "failed" | "unknown";
  /** Its page; null if there is no forwarding server yet. */
  readonly url: string | null;
  /**
   * ISO 8601, UTC: when a user or the agent was last active, as the agent reports it; null if never, or not reported.
   */
  readonly lastActivity: string | null;
  readonly repo: string;
  readonly data: string;
}

/** The deployed web changelings known to this machine. */
export function deployedWeb({ paths, provider }: Pick<InspectedStack, "paths" | "provider">): WebRecord[] {
  const records = readRecords(paths).filter(({ removed }) => removed !== true);
  return provider === undefined ? records : records.filter((record) => record.provider === provider);
}

/** The table of `list`, and the changelings whose state is not the declared one. */
export async function webListing(stack: InspectedStack, now: Date = new Date()): Promise<Listing<ListedWeb>> {
  const changelings = await listedWeb(stack);
  return {
    changelings,
    columns: ["STATE", "URL", "LAST ACTIVITY"],
    cells: changelings.map(({ state, url, lastActivity }) => [
      state,
      url ?? "",
      lastActivity === null ? "none known" : fromNow(new Date(lastActivity), now),
    ]),
    warnings: warningsOf(changelings),
  };
}

const stateWords = {
  died: "dead (its process ended)",
  gone: "gone from mngr",
  stopped: "stopped",
  "not running": "stopped",
};

function warningsOf(web: readonly ListedWeb[]): string[] {
  const unseen = web.filter(({ state }) => state === "unknown").map(({ name }) => name);
  return [
    ...(unseen.length === 0
      ? []
      : [`mngr does not report the state of ${unseen.join(", ")}; see: ${changelingCommand()} doctor`]),
    ...web.flatMap(({ name, enabled, state }) => {
      if (!enabled || state === "running" || state === "unknown") return [];
      if (state === "failed") return [`${name} never started; try again with: ${changelingCommand()} update ${name}`];
      return [
        `${name} should be running, but is ${stateWords[state]}; repair it with: ${changelingCommand()} start ${name}`,
      ];
    }),
  ];
}

/**
 * Their states, with one `mngr list` for all that share a mngr. No mngr is needed if all run on this machine, because
 * then tmux is enough.
 */
export async function listedWeb(place: Pick<InspectedStack, "paths" | "provider">): Promise<ListedWeb[]> {
  const records = deployedWeb(place);
  const agents = await agentsOf(records, place.paths);
  return records.map((record) => listedOne(place.paths, record, agents.get(mngrKeyOf(record))));
}

/** By `mngrKeyOf`; undefined if that mngr could not list them. */
async function agentsOf(
  records: readonly WebRecord[],
  paths: InstallationPaths,
): Promise<ReadonlyMap<string, Known | undefined>> {
  const groups = Map.groupBy(records, mngrKeyOf);
  const known = [...groups].map(async ([key, group]): Promise<[string, Known | undefined]> => {
    const [record] = group;
    if (record === undefined) return [key, undefined];
    try {
      const running = record.provider === "local" ? await allRunning(group, paths) : undefined;
      if (running !== undefined) return [key, { agents: running, isComplete: true }];
      const { agents, isComplete } = await (await mngrFor(record, paths)).list([record.provider]);
      return [key, { agents, isComplete }];
    } catch (error) {
      printNote(`warning: ${messageOf(error)}\n`);
      return [key, undefined];
    }
  });
  return new Map(await Promise.all(known));
}

type SeenAgent = Pick<Agent, "id" | "state" | "host" | "agent_activity_time" | "user_activity_time">;

/** @returns undefined unless mngr knows all of them and all are certainly running */
async function allRunning(
  records: readonly WebRecord[],
  paths: InstallationPaths,
): Promise<readonly SeenAgent[] | undefined> {
  const [first] = records;
  if (first === undefined) return undefined;
  const env = await mngrEnvironmentOf(first, { paths, env: process.env });
  const running = await runningAgents(env);
  const seen = records.map(({ agentId }) => ({ id: agentId, ...agentFiles(mngrHostDir(env), agentId) }));
  if (!seen.every(({ id, isKnown }) => isKnown && running.has(id))) return undefined;
  return seen.map(({ id, userActivity, agentActivity }) => ({
    id,
    state: "RUNNING",
    user_activity_time: userActivity,
    agent_activity_time: agentActivity,
  }));
}

interface Known {
  readonly agents: readonly SeenAgent[];
  readonly isComplete: boolean;
}

function listedOne(paths: InstallationPaths, record: WebRecord, known: Known | undefined): ListedWeb {
  const { name, provider, agentId, repo, data, applied } = record;
  const enabled = applied?.enabled ?? true;
  const agent = known && listedAgent(record, known.agents);
  return {
    name,
    kind: "web",
    provider,
    agentId,
    enabled,
    state: applied === undefined ? "failed" : known === undefined ? "unknown" : stateOf(agent, { enabled, ...known }),
    url: deployedPageUrl(paths, agentId),
    lastActivity: lastActivityOf(agent) ?? null,
    repo,
    data,
  };
}

export function stateOf(
  agent: Pick<Agent, "state"> | undefined,
  { enabled, isComplete }: { enabled: boolean; isComplete: boolean },
): ListedWeb["state"] {
  if (agent === undefined) return isComplete ? "gone" : "unknown";
  if (isLive(agent.state)) return "running";
  if (agent.state === "DONE") return enabled ? "died" : "stopped";
  if (agent.state === "STOPPED") return enabled ? "not running" : "stopped";
  return "unknown";
}

/** The mngr that manages a changeling's agent, wherever it is. */
export async function mngrFor(record: WebRecord, paths: InstallationPaths): Promise<Mngr> {
  return mngrClient(await mngrEnvironmentOf(record, { paths, env: process.env }));
}
