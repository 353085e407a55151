/** What a version's answers were like, lately. */
export interface Statistics {
  /** All since the beginning. */
  readonly requests: number;
  readonly errors: number;
  /** Milliseconds, of the last `capacity` answers. */
  readonly median: number;
  readonly p95: number;
  /** How many answers `median` and `p95` are made of. */
  readonly samples: number;
}

const capacity = 500;

/** Counts answers. Memory is bounded. */
export class Counter {
  #requests = 0;
  #errors = 0;
  readonly #latest: number[] = [];

  /** @param milliseconds undefined for an answer that says nothing about speed, such as one that failed */
  add(isError: boolean, milliseconds?: number): void {
    this.#requests += 1;
    if (isError) this.#errors += 1;
    if (milliseconds !== undefined) this.time(milliseconds);
  }

  /** Only its time counts: a probe, which no client asked for. */
  time(milliseconds: number): void {
    if (this.#latest.length === capacity) this.#latest.shift();
    this.#latest.push(milliseconds);
  }

  /** Those of a process that was just started say nothing. */
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
