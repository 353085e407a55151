import type { Log } from "../../../host/log.ts";
import { messageOf } from "../../../lib/as-error.ts";
import type { Listed, Mngr } from "../../../mngr/client.ts";

interface Listener {
  readonly mngr: Mngr;
  /** The time until the next poll, by how long it has been listening; both in milliseconds. */
  readonly periodMs: (listeningMs: number) => number;
  readonly since: number;
  readonly see: (listed: Listed) => void;
}

/**
 * Polls the agents of all runs together: one `mngr list` (about three seconds of CPU time) per period, however many
 * runs there are, and none if there are no runs.
 */
export class AgentPoll {
  readonly #log: Log;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;
  #polledAt = Date.now();
  #isPolling = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @returns a function that stops listening */
  listen(mngr: Mngr, periodMs: Listener["periodMs"], see: (listed: Listed) => void): () => void {
    const listener = { mngr, periodMs, since: Date.now(), see };
    if (this.#listeners.size === 0) this.#polledAt = Date.now();
    this.#listeners.add(listener);
    this.#arm();
    return () => {
      this.#listeners.delete(listener);
      this.#arm();
    };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#listeners.size === 0 || this.#isPolling) return;
    const now = Date.now();
    const period = Math.min(...[...this.#listeners].map(({ periodMs, since }) => periodMs(now - since)));
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, this.#polledAt + period - Date.now()));
  }

  async #poll(): Promise<void> {
    this.#isPolling = true;
    const mngrs = new Set([...this.#listeners].map(({ mngr }) => mngr));
    await Promise.all([...mngrs].map((mngr) => this.#pollWith(mngr)));
    this.#isPolling = false;
    this.#polledAt = Date.now();
    this.#arm();
  }

  async #pollWith(mngr: Mngr): Promise<void> {
    // Listeners added while mngr runs may be missing from its result.
    const present = [...this.#listeners].filter((listener) => listener.mngr === mngr);
    try {
      const listed = await mngr.list();
      for (const listener of present) if (this.#listeners.has(listener)) listener.see(listed);
    } catch (error) {
      // A failed poll says nothing about the agents.
      this.#log(`could not list the agents: ${messageOf(error)}`);
    }
  }
}
