import { Counter, type Statistics } from "./statistics.ts";

/** With fewer answers, a comparison means nothing: with 40, the slowest 5 % are two. */
export const minSamples = 40;

/**
 * Judges during a probation whether a version is slower than the one before it. The machine may have been busy for a moment,
 * so a first slow sample is only a suspicion. It counts if a second one is slow too, while the version before is not.
 */
export class Slowness {
  readonly #counter: Counter;
  readonly #before: Statistics;
  #suspected: { readonly reason: string; readonly control: Counter } | undefined;

  /**
   * @param counter of the new version's answers; its times are forgotten when a second sample begins
   * @param before of the version before, while it still served
   */
  constructor(counter: Counter, before: Statistics) {
    this.#counter = counter;
    this.#before = before;
  }

  /** Why the version may be slower, while that is being checked. */
  get suspicion(): string | undefined {
    return this.#suspected?.reason;
  }

  /** While a suspicion is checked, counts what the version before takes for the same requests at the same time. */
  get control(): Counter | undefined {
    return this.#suspected?.control;
  }

  /** @returns why the version is slower; undefined if it is not, or not yet known to be */
  judge(): string | undefined {
    const now = this.#counter.get();
    const control = this.#suspected?.control.get();
    if (control !== undefined && now.samples < minSamples) return undefined;
    const reason = slower(now, control === undefined ? this.#before : slowest(this.#before, control));
    if (control !== undefined && reason !== undefined) return reason;
    this.#suspected = reason === undefined ? undefined : { reason, control: new Counter() };
    if (reason !== undefined) this.#counter.forgetTimes();
    return undefined;
  }

  /**
   * At the end of the probation, by the answers of the second sample that there are. If there are none, the first one counts:
   * the version before is the safe choice.
   *
   * @returns why the version is slower, undefined if it is not
   */
  decide(): string | undefined {
    const now = this.#counter.get();
    if (this.#suspected === undefined || now.samples === 0) return this.suspicion;
    return slower(now, slowest(this.#before, this.#suspected.control.get()), 1);
  }
}

function slower(now: Statistics, before: Statistics, least = minSamples): string | undefined {
  if (now.samples < least || before.samples === 0) return undefined;
  if (now.median > 3 * before.median + 10) return words("half of its answers take", now.median, before.median);
  if (now.p95 > 3 * before.p95 + 100) return words("its slowest answers take", now.p95, before.p95);
  return undefined;
}

function slowest(one: Statistics, other: Statistics): Statistics {
  return { ...one, median: Math.max(one.median, other.median), p95: Math.max(one.p95, other.p95) };
}

function words(what: string, now: number, before: number): string {
  return `${what} ${Math.round(now)} ms (before: ${Math.round(before)} ms)`;
}
