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

  /** @param over logged when the problem is over */
  tell(about: string, what: string, over: string): void {
    const before = this.#reported.get(about) ?? "";
    if (before === what) return;
    this.#reported.set(about, what);
    const text = what === "" ? over : what;
    if (text !== "") this.#log(text);
  }

  tellStates(agents: Iterable<KnownAgent>): void {
    for (const { record, status, view, doubts } of agents) {
      const servers = view.servers.join(", ");
      const state = status.state === "online" ? `online (${servers})` : `${status.state}: ${status.reason}`;
      this.tell(record.agentId, `${record.name} is ${state}`, "");
      this.tell(`${record.agentId} doubts`, doubts.map((doubt) => `${record.name} ${doubt}`).join("; "), "");
    }
  }
}
