import type { Log } from "../../../host/log.ts";
import type { Listed, Mngr } from "../../../mngr/client.ts";

interface Listener {
  readonly mngr: Mngr;
  /** How long until the next look, by how long it has been listening; both in milliseconds. */
  readonly periodMs: (listeningMs: number) => number;
  readonly since: number;
  readonly see: (listed: Listed) => void;
}

/**
 * Looks at all agents for all runs at once: one `mngr list` (some three seconds of processor time) per period, however
 * many runs there are, and none while nothing runs.
 */
export class AgentPoll {
  readonly #log: Log;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = Date.now();
  #isLooking = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @returns a function that ends it */
  listen(mngr: Mngr, periodMs: Listener["periodMs"], see: (listed: Listed) => void): () => void {
    const listener = { mngr, periodMs, since: Date.now(), see };
    if (this.#listeners.size === 0) this.#lookedAt = Date.now();
    this.#listeners.add(listener);
    this.#arm();
    return () => {
      this.#listeners.delete(listener);
      this.#arm();
    };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#listeners.size === 0 || this.#isLooking) return;
    const now = Date.now();
    const period = Math.min(...[...this.#listeners].map(({ periodMs, since }) => periodMs(now - since)));
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, this.#lookedAt + period - Date.now()));
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    const mngrs = new Set([...this.#listeners].map(({ mngr }) => mngr));
    await Promise.all([...mngrs].map((mngr) => this.#lookWith(mngr)));
    this.#isLooking = false;
    this.#lookedAt = Date.now();
    this.#arm();
  }

  async #lookWith(mngr: Mngr): Promise<void> {
    // Who comes while mngr looks may not be in what it saw.
    const present = [...this.#listeners].filter((listener) => listener.mngr === mngr);
    try {
      const listed = await mngr.list();
      for (const listener of present) if (this.#listeners.has(listener)) listener.see(listed);
    } catch (error) {
      // Not being able to look says nothing about the agents.
      this.#log(`could not look at the agents: ${error instanceof Error ? error.message : error}`);
    }
  }
}
