/** mngr's agent states. */

const live = new Set(["RUNNING", "WAITING", "REPLACED", "RUNNING_UNKNOWN_AGENT_TYPE"]);

/** Whether an agent's process is alive. @returns undefined if mngr could not tell */
export function isLive(state: string | undefined): boolean | undefined {
  return state === undefined || state === "UNKNOWN" ? undefined : live.has(state);
}

/** Whether its process is known to have ended. */
export function hasEnded(state: string): boolean {
  return state === "DONE" || state === "STOPPED";
}
