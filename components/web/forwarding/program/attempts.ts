import type { FastifyRateLimitStore } from "@fastify/rate-limit";

/** The oldest make room for new ones. */
const mostKnown = 5000;

interface Attempts {
  /** By the clock that nobody can set, or setting it back would freeze the count. */
  readonly since: number;
  count: number;
}

/** Counts attempts by address, in windows. Of our own, since the one of `@fastify/rate-limit` goes by the machine's clock. */
export class AttemptStore implements FastifyRateLimitStore {
  readonly #known = new Map<string, Attempts>();

  incr(
    address: string,
    callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
    windowMs = 0,
  ): void {
    const now = performance.now();
    const known = this.#known.get(address);
    const attempts = known !== undefined && now < known.since + windowMs ? known : { since: now, count: 0 };
    attempts.count += 1;
    this.#known.delete(address);
    this.#known.set(address, attempts);
    for (const oldest of this.#known.keys()) if (this.#known.size > mostKnown) this.#known.delete(oldest);
    callback(null, { current: attempts.count, ttl: attempts.since + windowMs - now });
  }

  child(): AttemptStore {
    return new AttemptStore();
  }
}
