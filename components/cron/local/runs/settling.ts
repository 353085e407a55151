import type { Agent } from "../../../mngr/client.ts";
import type { Ending } from "./outcome.ts";

/** What is known of an agent beside what mngr shows. */
export interface Expectation {
  /** It never ends by itself: it is done when it has been waiting for so long. */
  readonly isConversational: boolean;
  /** A conversation that is only printed (`claude --print`), and so ends by itself. */
  readonly isPrinted: boolean;
  readonly settleSeconds: number;
  /** Its command runs in our wrapper, which leaves an exit status. */
  readonly leavesExitStatus: boolean;
}

/** An agent that is missing, or stopped, is believed to be so when it was seen so twice: mngr writes its files one by one. */
const sightingsToBelieve = 2;

/** Reads the series of what mngr shows of one agent: has it come to an end? Pure; times are in milliseconds. */
export class Settling {
  readonly #expected: Expectation;
  #last: { what: string; since: number; sightings: number } | undefined;

  constructor(expected: Expectation) {
    this.#expected = expected;
  }

  /** @param agent undefined when mngr, having looked everywhere, does not show it */
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

/** Changes whenever the agent did something, or its person did. */
function fingerprint(agent: Agent): string {
  const { state, agent_activity_time, user_activity_time, plugin } = agent;
  return JSON.stringify([state, agent_activity_time ?? null, user_activity_time ?? null, plugin]);
}

/** Each agent plugin tells it under its own name, for instance `{ "claude": { "waiting_reason": "PERMISSIONS" } }`. */
function waitsForPermission(agent: Agent): boolean {
  return Object.values(agent.plugin).some(
    (fields) =>
      typeof fields === "object" &&
      fields !== null &&
      "waiting_reason" in fields &&
      fields.waiting_reason === "PERMISSIONS",
  );
}
