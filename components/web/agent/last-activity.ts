import type { Agent } from "../../mngr/client.ts";

/**
 * ISO 8601, UTC: when a user or the agent was last active; undefined if never, or if the agent does not report it.
 */
export function lastActivityOf(
  agent: Pick<Agent, "agent_activity_time" | "user_activity_time"> | undefined,
): string | undefined {
  const times = [agent?.agent_activity_time, agent?.user_activity_time];
  const dates = times.flatMap((time) => (time ? [Date.parse(time)] : [])).filter((time) => !Number.isNaN(time));
  return dates.length === 0 ? undefined : new Date(Math.max(...dates)).toISOString();
}
