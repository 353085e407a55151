/** The oldest make room for new ones. */
const mostKnown = 5000;
/** Failures per address in a window; a person who errs has fewer. */
const mostFailures = 60;
const windowMs = 60_000;

interface Failures {
  /** By the clock that nobody can set, or setting it back would freeze the count. */
  readonly since: number;
  count: number;
}

/**
 * Counts failed attempts to log in, by client. What succeeds is never counted or refused: codes are random, so whoever
 * has one is let in, however much others fail from the same address.
 */
export class FailedAttempts {
  readonly #known = new Map<string, Failures>();

  /** @returns after how many seconds to try again, when there were too many */
  fail(client: string): number | undefined {
    const now = performance.now();
    const known = this.#known.get(client);
    const failures = known !== undefined && now < known.since + windowMs ? known : { since: now, count: 0 };
    failures.count += 1;
    this.#known.delete(client);
    this.#known.set(client, failures);
    for (const oldest of this.#known.keys()) if (this.#known.size > mostKnown) this.#known.delete(oldest);
    return failures.count > mostFailures ? Math.ceil((failures.since + windowMs - now) / 1000) : undefined;
  }
}
