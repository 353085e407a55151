import { isLive } from "../../mngr/agent-state.ts";
import type { Agent } from "../../mngr/client.ts";
import { listedAgent } from "./listed-agent.ts";
import type { WebRecord } from "./record.ts";
import { digestOfSpec, type WebSpec } from "./spec.ts";

/** Detects how a web agent differs from the state that the last `pulumi up` left. */

/** An agent whose state mngr can't read counts as running. */
export function isRunning(agent: Agent | undefined): boolean {
  return agent !== undefined && isLive(agent.state) !== false;
}

/** Whether an agent matches the spec and no update is unfinished. */
export function isAsApplied(spec: WebSpec, { applied, merged }: WebRecord, agent: Agent): boolean {
  if (applied === undefined || merged !== undefined) return false;
  const digest = digestOfSpec(spec);
  return digest === digestOfSpec(applied) && digest === agent.labels["changeling_digest"];
}

/** The machines of agents that each have their own. */
export interface SeenMachines {
  /** The provider's word for a machine. */
  readonly word: "container" | "machine";
  /** Ids of the running ones. */
  readonly running: ReadonlySet<string>;
}

/**
 * Describes the drift; undefined if there is none. An ended machine is not drift of a stopped agent: opening the page
 * or `pulumi up` starts it.
 *
 * @param record undefined if there is none
 * @param agents undefined if mngr could not be read
 * @param machines undefined for agents on this machine
 */
export function webDrift(
  record: WebRecord | undefined,
  agents: readonly Agent[] | undefined,
  machines?: SeenMachines,
): string | undefined {
  if (record === undefined || record.removed === true) return "its record is missing";
  const { applied, hostAddress } = record;
  // It never came up, so the engine has no state to compare with.
  if (applied === undefined) return undefined;
  const agent = agents && listedAgent(record, agents);
  const [, hostId] = /@(.*)\.[a-z]+$/.exec(hostAddress ?? "") ?? [];
  const isUp = machines === undefined || (hostId !== undefined && machines.running.has(hostId));
  if (!applied.enabled) {
    const isStarted = machines === undefined ? isRunning(agent) : isUp;
    return isStarted ? "its agent was started by hand" : undefined;
  }
  if (agents !== undefined && agent === undefined) return "its agent is gone";
  if (!isUp) return `its ${machines?.word} has ended`;
  if (agent === undefined) return undefined;
  if (agent.state === "STOPPED") return "its agent was stopped";
  if (!isRunning(agent)) return `its agent died (${agent.state})`;
  return agent.labels["changeling_digest"] === digestOfSpec(applied) ? undefined : "it was redeployed by hand";
}
