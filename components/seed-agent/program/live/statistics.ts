/** Counts and times of a version's answers. */
export interface Statistics {
  /** All requests since the version's start. */
  readonly requests: number;
  readonly errors: number;
  /** Milliseconds, for the last `capacity` answers. */
  readonly median: number;
  readonly p95: number;
  /** How many answers `median` and `p95` are based on. */
  readonly samples: number;
}

const capacity = 500;

/** Counts answers. Memory is bounded. */
export class Counter {
  #requests = 0;
  #errors = 0;
  readonly #latest: number[] = [];

  /** @param milliseconds undefined if the time means nothing, for instance because the request failed */
  add(isError: boolean, milliseconds?: number): void {
    this.#requests += 1;
    if (isError) this.#errors += 1;
    if (milliseconds !== undefined) this.time(milliseconds);
  }

  /** Counts only the time, for a replayed request. */
  time(milliseconds: number): void {
    if (this.#latest.length === capacity) this.#latest.shift();
    this.#latest.push(milliseconds);
  }

  /** Forgets the times of a new process, which was still warming up. */
  forgetTimes(): void {
    this.#latest.length = 0;
  }

  get(): Statistics {
    const sorted = this.#latest.toSorted((one, other) => one - other);
    return {
      requests: this.#requests,
      errors: this.#errors,
      median: quantile(sorted, 0.5),
      p95: quantile(sorted, 0.95),
      samples: sorted.length,
    };
  }
}

/** @param sorted ascending */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
