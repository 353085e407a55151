import type { InstallationPaths } from "../../components/host/installation-paths.ts";
import { printNote } from "../../components/lib/terminal.ts";
import { isLive } from "../../components/mngr/agent-state.ts";
import { type Agent, type Mngr, mngrClient } from "../../components/mngr/client.ts";
import { mngrHostDir } from "../../components/mngr/host-dir.ts";
import { agentFiles, runningAgents } from "../../components/mngr/running-agents.ts";
import { lastActivityOf } from "../../components/web/agent/last-activity.ts";
import { listedAgent } from "../../components/web/agent/listed-agent.ts";
import { readRecords, type WebRecord } from "../../components/web/agent/record.ts";
import { mngrEnvironmentOf, mngrKeyOf } from "../../components/web/forwarding/program/discovery/mngr-of.ts";
import type { Place } from "./context.ts";
import { deployedPageUrl } from "./forwarding.ts";

/** A web changeling as it stands. */
export interface ListedWeb {
  readonly name: string;
  readonly kind: "web";
  readonly provider: WebRecord["provider"];
  readonly agentId: string;
  readonly enabled: boolean;
  /**
   * `stopped` is as declared; `not running`, `died` and `gone` (from mngr) are drift; `failed`: it never came up;
   * `unknown`: mngr could not tell.
   */
  readonly state: "running" | "stopped" | "not running" | "died" | "gone" | "failed" | "unknown";
  /** Its page; null where there is no forwarding server yet. */
  readonly url: string | null;
  /** ISO 8601, UTC: when a person or the agent last said or did something, as the agent reports it; null: never, or it reports none. */
  readonly lastActivity: string | null;
  readonly repo: string;
  readonly data: string;
}

/** The web changelings that are deployed, as far as this machine knows. */
export function deployedWeb({ paths, provider }: Place): WebRecord[] {
  const records = readRecords(paths).filter(({ removed }) => removed !== true);
  return provider === undefined ? records : records.filter((record) => record.provider === provider);
}

/**
 * Their states, by one `mngr list` for all that are seen with the same mngr; without it where all of them run on this
 * machine, which tmux alone tells.
 */
export async function listedWeb(place: Place): Promise<ListedWeb[]> {
  const records = deployedWeb(place);
  const agents = await agentsOf(records, place.paths);
  return records.map((record) => listedOne(place.paths, record, agents.get(mngrKeyOf(record))));
}

/** By `mngrKeyOf`; undefined: that mngr could not tell. */
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
      printNote(`warning: ${error instanceof Error ? error.message : error}\n`);
      return [key, undefined];
    }
  });
  return new Map(await Promise.all(known));
}

type SeenAgent = Pick<Agent, "id" | "state" | "host" | "agent_activity_time" | "user_activity_time">;

/** @returns undefined unless all of them are known to mngr and run beyond doubt */
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

/** The mngr that a changeling's agent is seen with, wherever it is. */
export async function mngrFor(record: WebRecord, paths: InstallationPaths): Promise<Mngr> {
  return mngrClient(await mngrEnvironmentOf(record, { paths, env: process.env }));
}
