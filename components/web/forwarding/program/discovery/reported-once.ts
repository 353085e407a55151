import type { Log } from "../../../../host/log.ts";
import type { KnownAgent } from "./known-agent.ts";

/** Logs agents' states, each only when it changes. */
export class ReportedOnce {
  readonly #log: Log;
  /** The last text by subject. */
  readonly #reported = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * @param problem empty if there is none
   * @param solved logged when the problem is solved
   */
  report(subject: string, problem: string, solved: string): void {
    const before = this.#reported.get(subject) ?? "";
    if (before === problem) return;
    this.#reported.set(subject, problem);
    const text = problem === "" ? solved : problem;
    if (text !== "") this.#log(text);
  }

  reportStates(agents: Iterable<KnownAgent>): void {
    for (const { record, status, view, warnings } of agents) {
      const servers = view.servers.join(", ");
      const state = status.state === "online" ? `online (${servers})` : `${status.state}: ${status.reason}`;
      this.report(record.agentId, `${record.name} is ${state}`, "");
      this.report(`${record.agentId} warnings`, warnings.map((warning) => `${record.name} ${warning}`).join("; "), "");
    }
  }
}
