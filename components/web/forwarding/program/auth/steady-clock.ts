/**
 * The machine's clock, except that it never goes back, so that expired sessions stay expired. If the machine's clock is
 * set back, this one continues from its latest time at normal speed, so that no session lasts longer either.
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #elapsed: () => number;
  #latest: number;
  /** When `#latest` was current, by the monotonic clock. */
  #latestAt: number;

  /**
   * @param wall milliseconds since 1970
   * @param elapsed milliseconds since any point
   */
  constructor(wall: () => number = Date.now, elapsed: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#latest = wall();
    this.#latestAt = elapsed();
  }

  /** Milliseconds since 1970. */
  now(): number {
    const at = this.#elapsed();
    this.#latest = Math.max(this.#wall(), Math.floor(this.#latest + (at - this.#latestAt)));
    this.#latestAt = at;
    return this.#latest;
  }

  /** @param latest the latest time in an earlier process */
  continueFrom(latest: number): void {
    this.#latest = Math.max(this.#latest, latest);
  }
}
