/**
 * The machine's clock, but it never goes back: what has expired stays so when the clock is set back. It then goes on from
 * the latest time that it has shown, as fast as time passes, so that nothing lasts longer either.
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #elapsed: () => number;
  #latest: number;
  /** When that was shown, on the clock that nobody can set. */
  #shownAt: number;

  /**
   * @param wall milliseconds since 1970
   * @param elapsed milliseconds since whenever
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

  /** @param latest what it has shown before this process */
  continueFrom(latest: number): void {
    this.#latest = Math.max(this.#latest, latest);
  }
}
