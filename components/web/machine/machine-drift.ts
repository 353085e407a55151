import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import { digestOfSpec } from "../agent/spec.ts";
import { placedAgent } from "./machines.ts";

export interface SeenMachines {
  /** The provider's usual word for a machine. */
  readonly machine: "container" | "machine";
  /** Ids of the running machines. */
  readonly machines: ReadonlySet<string>;
  /** undefined if mngr could not be read. */
  readonly agents: readonly Agent[] | undefined;
}

/**
 * Describes how a web agent on its own machine differs from what the last `pulumi up` left; undefined if it does not.
 * An ended machine is not drift by itself: opening the page or `pulumi up` starts it.
 *
 * @param record undefined if there is none
 */
export function machineDrift(
  record: WebRecord | undefined,
  { machine, machines, agents }: SeenMachines,
): string | undefined {
  if (record === undefined || record.removed === true) return "its record is missing";
  const { applied, hostAddress } = record;
  // It never came up, so the engine has no state to compare with.
  if (applied === undefined) return undefined;
  const [, hostId] = /@(.*)\.[a-z]+$/.exec(hostAddress ?? "") ?? [];
  const isRunning = hostId !== undefined && machines.has(hostId);
  if (!applied.enabled) return isRunning ? "its agent was started by hand" : undefined;
  const agent = agents && placedAgent(record, agents);
  if (agents !== undefined && agent === undefined) return "its agent is gone";
  if (!isRunning) return `its ${machine} has ended`;
  if (agent === undefined) return undefined;
  if (agent.state === "STOPPED") return "its agent was stopped";
  if (agent.state === "DONE") return "its agent died (DONE)";
  return agent.labels["changeling_digest"] === digestOfSpec(applied) ? undefined : "it was redeployed by hand";
}
