import { lastFire, nextFire } from "../cron-times.ts";

/** When jobs are due: pure arithmetic on a clock that is passed in. Times are milliseconds since 1970. */

/** A due time fired later than this was missed: the scheduler was down, or the machine asleep. */
const missedAfterMs = 90_000;
export function isMissed(due: number, now: number): boolean {
  return now - due > missedAfterMs;
}

/** If the clock was set back by more than this, later times no longer count as considered. */
const clockSlackMs = 60_000;

export interface TimetableJob {
  readonly name: string;
  readonly enabled: boolean;
  /** Five-field cron expression. */
  readonly schedule: string;
  /** IANA zone. */
  readonly timezone: string;
}

export interface DueJob {
  readonly name: string;
  readonly due: number;
  /** It should have been fired more than 90 s ago. */
  readonly isMissed: boolean;
}

interface Entry {
  readonly job: TimetableJob;
  /** All due times up to here have been handled, as far as the clock can be trusted. */
  considered: number;
  /** Like `considered`, from when the clock showed a later time; applies again once the clock has reached it. */
  horizon: number;
  /** Due times that were fired, skipped or queued. They don't become due again, even if the clock is set back. */
  readonly handled: Set<number>;
  /** The first due time after `considered`; Infinity for a job that is disabled or never due again. */
  next: number;
}

/** How many due times are remembered individually. */
const mostHandled = 500;

export class Timetable {
  readonly #entries = new Map<string, Entry>();

  /**
   * Adds or updates a job.
   * @param since earlier due times are not caught up: when the job was installed, or the last recorded due time. It may
   * lie in the future, if the clock is behind or was ahead
   * @param handled due times on record
   * @throws if its schedule or zone is invalid
   */
  set(job: TimetableJob, since: number, handled: Iterable<number> = []): void {
    const known = this.#entries.get(job.name);
    if (known !== undefined && isSame(known.job, job)) return;
    const considered = Math.max(since, known?.considered ?? Number.NEGATIVE_INFINITY);
    const dues = new Set([...handled, ...(known?.handled ?? [])]);
    const horizon = Math.max(considered, known?.horizon ?? considered);
    const entry = { job, considered, horizon, handled: dues };
    this.#entries.set(job.name, { ...entry, next: nextOf(entry) });
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** What is due now, at most once per job: of several passed due times only the last is fired. */
  takeDue(now: number): DueJob[] {
    const due: DueJob[] = [];
    for (const entry of this.#entries.values()) {
      setClock(entry, now);
      if (entry.next > now) continue;
      const { name, schedule, timezone } = entry.job;
      const last = lastFire(schedule, timezone, entry.next, now);
      entry.considered = last;
      if (!entry.handled.has(last)) due.push({ name, due: last, isMissed: isMissed(last, now) });
      remember(entry.handled, last);
      entry.next = nextOf(entry);
    }
    return due;
  }

  /** The next due time of any job; Infinity if there is none. */
  nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) next = Math.min(next, entry.next);
    return next;
  }
}

/** Handles a clock that was set back, or that has since caught up again. */
function setClock(entry: Entry, now: number): void {
  const { considered, horizon } = entry;
  if (considered > now + clockSlackMs) {
    entry.horizon = Math.max(horizon, considered);
    entry.considered = now;
  } else if (horizon > considered && horizon <= now) {
    entry.considered = horizon;
  } else return;
  entry.next = nextOf(entry);
}

function remember(handled: Set<number>, due: number): void {
  handled.add(due);
  for (const oldest of handled) {
    if (handled.size <= mostHandled) return;
    handled.delete(oldest);
  }
}

function isSame(a: TimetableJob, b: TimetableJob): boolean {
  return a.enabled === b.enabled && a.schedule === b.schedule && a.timezone === b.timezone;
}

/** The first due time after `considered` that was not handled before. @throws if its schedule or zone is invalid */
function nextOf({ job, considered, handled }: Omit<Entry, "next">): number {
  let next = nextFire(job.schedule, job.timezone, considered);
  if (!job.enabled) return Number.POSITIVE_INFINITY;
  while (next !== undefined && handled.has(next)) next = nextFire(job.schedule, job.timezone, next);
  return next ?? Number.POSITIVE_INFINITY;
}
