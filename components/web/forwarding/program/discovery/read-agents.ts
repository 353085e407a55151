import type { Mngr, SshAccess } from "../../../../mngr/client.ts";
import { lastActivityOf } from "../../../agent/last-activity.ts";
import { listedAgent } from "../../../agent/listed-agent.ts";
import type { WebRecord } from "../../../agent/record.ts";
import type { AgentOutput } from "./agent-output.ts";
import { outputHere } from "./output-here.ts";
import { type Addressed, outputsOnMachines, resultOf } from "./outputs-on-machines.ts";

/** mngr's report about one agent, and the agent's own. */
export interface Reading {
  /** Its state according to mngr; `GONE` if mngr has no such agent, undefined if mngr could not read it. */
  readonly state: string | undefined;
  /** The agent's own output; undefined if its host could not be reached, or mngr has no such agent. */
  readonly output: AgentOutput | undefined;
  /** How to reach its host, if that is not this machine. */
  readonly ssh: SshAccess | undefined;
  /**
   * ISO 8601, UTC: when a user or the agent was last active; undefined if never, or if the agent does not report it.
   */
  readonly lastActivity?: string | undefined;
  /** The id of another agent, if one on another machine claims that. Its output is ignored then. */
  readonly claimed?: string | undefined;
}

export interface AgentReadings {
  /** By agent id. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** What mngr failed to do; the readings contain everything else. */
  readonly problem: string | undefined;
}

/**
 * Reads all agents of one mngr: one `mngr list` for their states and, in parallel, one `mngr exec` for the output of those
 * on other machines. The output of those on this machine is in files here. Starts no agent.
 *
 * @param env the environment in which that mngr was found
 * @throws MngrError if mngr could report nothing
 */
export async function readAgents(
  mngr: Pick<Mngr, "list" | "exec">,
  records: readonly WebRecord[],
  env: NodeJS.ProcessEnv,
): Promise<AgentReadings> {
  const addressed = records.filter(isAddressed);
  const listing = resultOf(mngr.list([...new Set(records.map(({ provider }) => provider))]));
  const listed = listing.then(({ value }) => value?.agents ?? []);
  const away = outputsOnMachines(mngr, addressed, listed);
  const [list, agents, { printed, error }] = await Promise.all([listing, listed, away]);
  if (list.value === undefined && (addressed.length === 0 || error !== undefined)) throw list.error;
  const readings = records.map((record): [string, Reading] => {
    const { agentId, provider } = record;
    const agent = listedAgent(record, agents);
    const state = agent?.state ?? (list.value?.isComplete ? "GONE" : undefined);
    const reading = { state, ssh: agent?.host?.ssh ?? undefined, lastActivity: lastActivityOf(agent) };
    if (provider === "local") {
      return [agentId, { ...reading, output: state === "GONE" ? undefined : outputHere(record, env) }];
    }
    const { id, output } = printed.get(agentId) ?? {};
    return [agentId, { ...reading, ...(id === agentId ? { output } : { output: undefined, claimed: id }) }];
  });
  const isNeeded = addressed.some((record) => listedAgent(record, agents) !== undefined);
  const problem = list.error ?? (isNeeded ? error : undefined);
  return { readings: new Map(readings), problem: problem?.message };
}

function isAddressed(record: WebRecord): record is Addressed {
  return record.provider !== "local" && record.hostAddress !== undefined;
}
