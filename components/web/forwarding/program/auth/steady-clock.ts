/**
 * The machine's clock, but it never goes back, so that expired sessions stay expired when the clock is set back. It
 * then continues from the latest time that it has shown at normal speed, so that nothing lasts longer either.
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #elapsed: () => number;
  #latest: number;
  /** When that was shown, by the monotonic clock. */
  #shownAt: number;

  /**
   * @param wall milliseconds since 1970
   * @param elapsed milliseconds since any point
   */
  constructor(wall: () => number = Date.now, elapsed: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#latest = wall();
    this.#shownAt = elapsed();
  }

  /** Milliseconds since 1970. */
  now(): number {
    const at = this.#elapsed();
    this.#latest = Math.max(this.#wall(), Math.floor(this.#latest + (at - this.#shownAt)));
    this.#shownAt = at;
    return this.#latest;
  }

  /** @param latest the last time shown by an earlier process */
  continueFrom(latest: number): void {
    this.#latest = Math.max(this.#latest, latest);
  }
}
