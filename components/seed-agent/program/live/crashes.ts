/** A version whose process ends more often than this within `windowMilliseconds` is given up. */
const maxCrashes = 3;
const windowMilliseconds = 60_000;

/** When the current version's process ended. */
export class Crashes {
  readonly #times: number[] = [];

  /** @returns whether it keeps ending */
  add(): boolean {
    const now = performance.now();
    this.#times.push(now);
    while ((this.#times[0] ?? now) < now - windowMilliseconds) this.#times.shift();
    return this.#times.length > maxCrashes;
  }

  clear(): void {
    this.#times.length = 0;
  }
}
