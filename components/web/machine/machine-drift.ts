import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import { digestOfSpec } from "../agent/spec.ts";
import { placedAgent } from "./machines.ts";

export interface SeenMachines {
  /** What people call a machine there. */
  readonly machine: "container" | "machine";
  /** Ids of the machines that run. */
  readonly machines: ReadonlySet<string>;
  /** undefined: mngr could not tell. */
  readonly agents: readonly Agent[] | undefined;
}

/**
 * How a web agent on a machine of its own differs from what the last `pulumi up` left, in words; undefined when it does
 * not. A machine that has ended is started by whoever opens the page, or by `pulumi up`.
 *
 * @param record undefined: there is none
 */
export function machineDrift(
  record: WebRecord | undefined,
  { machine, machines, agents }: SeenMachines,
): string | undefined {
  if (record === undefined || record.removed === true) return "its record is missing";
  const { applied, hostAddress } = record;
  // It never came up: the engine knows of nothing that it could differ from.
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
