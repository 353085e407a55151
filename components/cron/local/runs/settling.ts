import type { Agent } from "../../../mngr/client.ts";
import type { Ending } from "./outcome.ts";

/** What is known about an agent besides mngr's output. */
export interface Expectation {
  /** It never exits by itself; it is done after waiting for `settleSeconds`. */
  readonly isConversational: boolean;
  /** A non-interactive conversation (`claude --print`), which exits by itself. */
  readonly isPrinted: boolean;
  readonly settleSeconds: number;
  /** Its command runs in our wrapper, which records an exit status. */
  readonly leavesExitStatus: boolean;
}

/**
 * An agent counts as missing or stopped only when observed so twice, because mngr does not write its files atomically.
 */
const sightingsToBelieve = 2;

/** Decides from successive observations of one agent whether it has ended. Pure; times are in milliseconds. */
export class Settling {
  readonly #expected: Expectation;
  #last: { what: string; since: number; sightings: number } | undefined;

  constructor(expected: Expectation) {
    this.#expected = expected;
  }

  /** @param agent undefined if a complete listing by mngr does not contain it */
  see(agent: Agent | undefined, now: number): Ending | undefined {
    const what = agent === undefined ? "" : fingerprint(agent);
    if (this.#last?.what === what) this.#last.sightings += 1;
    else this.#last = { what, since: now, sightings: 1 };
    const { since, sightings } = this.#last;
    const isBelieved = sightings >= sightingsToBelieve;
    if (agent === undefined) return isBelieved ? { kind: "destroyed" } : undefined;
    if (agent.state === "STOPPED") return isBelieved ? { kind: "stopped" } : undefined;
    if (agent.state === "DONE") {
      const { leavesExitStatus, isConversational, isPrinted } = this.#expected;
      if (isConversational && !isPrinted) return isBelieved ? { kind: "died" } : undefined;
      if (!leavesExitStatus) return { kind: "done" };
      return isBelieved ? { kind: "vanished" } : undefined;
    }
    if (!this.#expected.isConversational || agent.state !== "WAITING") return undefined;
    if (now - since < this.#expected.settleSeconds * 1000) return undefined;
    return { kind: waitsForPermission(agent) ? "blocked" : "settled" };
  }
}

/** Changes whenever the agent or its user does something. */
function fingerprint(agent: Agent): string {
  const { state, agent_activity_time, user_activity_time, plugin } = agent;
  return JSON.stringify([state, agent_activity_time ?? null, user_activity_time ?? null, plugin]);
}

/**
 * Each agent plugin reports it under its own name, for instance `{ "claude": { "waiting_reason": "PERMISSIONS" } }`.
 */
function waitsForPermission(agent: Agent): boolean {
  return Object.values(agent.plugin).some(
    (fields) =>
      typeof fields === "object" &&
      fields !== null &&
      "waiting_reason" in fields &&
      fields.waiting_reason === "PERMISSIONS",
  );
}
