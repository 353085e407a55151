import { isLive } from "../../../../mngr/agent-state.ts";
import type { Registered } from "../../../agent/servers.ts";
import type { AgentView } from "../agents.ts";

/** How long (ms) a running agent that does not respond counts as starting. */
export const startingMs = 60_000;

export interface Status {
  readonly state: AgentView["state"];
  /** Why it is not online, for instance `it is stopped`; empty if it is. */
  readonly reason: string;
  /** Since when (by `performance.now()`) it has been running without responding. */
  readonly silentSince: number | undefined;
}

export interface Evidence {
  /** Its state according to mngr; undefined if mngr could not read it. */
  readonly state: string | undefined;
  readonly registered: Registered | undefined;
  /** Whether something accepts connections at one of its URLs. */
  readonly answers: boolean;
  /** Why it can't be reached from here, whatever its state, for instance `no tunnel to …`. */
  readonly obstacle: string | undefined;
}

/** Derives an agent's status. If it does not run, a port that accepts connections belongs to another process. */
export function statusOf(evidence: Evidence, before: Status | undefined, now: number): Status {
  const { state, registered, answers, obstacle } = evidence;
  const runs = isLive(state);
  if (answers && runs !== false) return { state: "online", reason: "", silentSince: undefined };
  if (runs === undefined)
    return {
      state: "offline",
      reason: "it does not answer, and mngr does not report its state",
      silentSince: undefined,
    };
  if (!runs) return { state: "offline", reason: wordsOf(state), silentSince: undefined };
  const silentSince = before?.silentSince ?? now;
  const hasServers = registered !== undefined && registered.servers.size > 0;
  if (!hasServers) return { state: "starting", reason: "it has not registered a server yet", silentSince };
  const isStarting = now - silentSince < startingMs;
  const reason = `it runs, but ${obstacle ?? "its server does not answer"}`;
  return { state: isStarting ? "starting" : "offline", reason, silentSince };
}

function wordsOf(state: string | undefined): string {
  if (state === "GONE") return "mngr has no such agent";
  return state === "DONE" ? "it has ended" : "it is stopped";
}
