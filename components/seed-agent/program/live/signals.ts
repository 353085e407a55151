import type { AgentRequest } from "../domain.ts";
import type { Signal } from "./live.ts";

/** How many signals are remembered. The oldest is forgotten first. */
const max = 50;
/** A signal that was not repeated within this time is forgotten. */
const lifetimeMilliseconds = 24 * 3_600_000;

/** Problems that the service noticed, counted by kind and summary. Memory is bounded. */
export class Signals {
  readonly #signals = new Map<string, Signal & { readonly at: number }>();

  add(kind: Signal["kind"], summary: string, request?: AgentRequest): void {
    const key = `${kind} ${summary}`;
    const before = this.#signals.get(key);
    this.#signals.delete(key);
    const sample = request ?? before?.request;
    this.#signals.set(key, {
      ...{ kind, summary, count: (before?.count ?? 0) + 1, at: performance.now() },
      ...(sample === undefined ? {} : { request: sample }),
    });
    for (const oldest of this.#signals.keys()) {
      if (this.#signals.size <= max) break;
      this.#signals.delete(oldest);
    }
  }

  /** A new version may have repaired them. */
  clear(): void {
    this.#signals.clear();
  }

  /** @returns the most frequent first */
  list(): readonly Signal[] {
    const now = performance.now();
    return [...this.#signals.values()]
      .filter(({ at }) => now - at < lifetimeMilliseconds)
      .toSorted((one, other) => other.count - one.count)
      .map(({ at, ...signal }) => signal);
  }
}
