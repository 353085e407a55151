/** Beyond this, the oldest are evicted. */
const mostKnown = 5000;
/** Allowed failures per address and window, more than a user makes by mistake. */
const mostFailures = 60;
const windowMs = 60_000;

interface Failures {
  /** By the monotonic clock: with the wall clock, setting it back would freeze the count. */
  readonly since: number;
  count: number;
}

/**
 * Counts failed attempts to log in, by client. Successful logins are never counted or rejected: codes are random, so a
 * client with a valid one is let in no matter how many others fail from the same address.
 */
export class FailedAttempts {
  readonly #known = new Map<string, Failures>();

  /** @returns seconds to wait before the next attempt, if there were too many */
  fail(client: string): number | undefined {
    const now = performance.now();
    const known = this.#known.get(client);
    const failures = known !== undefined && now < known.since + windowMs ? known : { since: now, count: 0 };
    failures.count += 1;
    this.#known.delete(client);
    this.#known.set(client, failures);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKnown) break;
      this.#known.delete(oldest);
    }
    return failures.count > mostFailures ? Math.ceil((failures.since + windowMs - now) / 1000) : undefined;
  }
}
