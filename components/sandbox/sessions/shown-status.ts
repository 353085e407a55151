import type { SessionSummary } from "./protocol.ts";

/** A session's status for a person: `running`, `asleep`, `paused`, `paused, asleep` or `terminated`. */
export function shownStatus({ status, isAsleep }: Pick<SessionSummary, "status" | "isAsleep">): string {
  if (!isAsleep || status === "terminated") return status;
  return status === "paused" ? "paused, asleep" : "asleep";
}
