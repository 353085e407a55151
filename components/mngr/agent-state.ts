/** mngr's words for how an agent is. */

const live = new Set(["RUNNING", "WAITING", "REPLACED", "RUNNING_UNKNOWN_AGENT_TYPE"]);

/** Whether the process of an agent lives. @returns undefined when mngr could not tell */
export function isLive(state: string | undefined): boolean | undefined {
  return state === undefined || state === "UNKNOWN" ? undefined : live.has(state);
}

/** Whether its process is known to be gone. */
export function hasEnded(state: string): boolean {
  return state === "DONE" || state === "STOPPED";
}
