import { lastFire, nextFire } from "../cron-times.ts";

/** When jobs come due: pure arithmetic on a clock that is handed in. Times are milliseconds since 1970. */

/** Fired later than this, a due time was missed: the scheduler was down, or the machine asleep. */
const missedAfterMs = 90_000;
export function isMissed(due: number, now: number): boolean {
  return now - due > missedAfterMs;
}

/** A clock that was set back by more than this makes what lies ahead of it be forgotten. */
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
  /** All due times up to here have been dealt with, as far as the clock can be believed. */
  considered: number;
  /** What was dealt with when the clock showed a later time: it counts once the clock has come there again. */
  horizon: number;
  /** Due times that were fired, skipped or queued: those are not due again, whatever the clock did. */
  readonly dealtWith: Set<number>;
  /** The first due time after `considered`; Infinity for a disabled job, or one that never comes due again. */
  next: number;
}

/** So many due times are remembered one by one. */
const mostDealtWith = 500;

export class Timetable {
  readonly #entries = new Map<string, Entry>();

  /**
   * Adds a job, or takes over a change of it.
   * @param since nothing that was due before is made up for: when the job was installed, or the last due time on
   *   record. It may lie ahead, when the clock is behind, or was ahead
   * @param dealtWith due times on record
   * @throws when its schedule or its zone can't be read
   */
  set(job: TimetableJob, since: number, dealtWith: Iterable<number> = []): void {
    const known = this.#entries.get(job.name);
    if (known !== undefined && isSame(known.job, job)) return;
    const considered = Math.max(since, known?.considered ?? Number.NEGATIVE_INFINITY);
    const dues = new Set([...dealtWith, ...(known?.dealtWith ?? [])]);
    const horizon = Math.max(considered, known?.horizon ?? considered);
    const entry = { job, considered, horizon, dealtWith: dues };
    this.#entries.set(job.name, { ...entry, next: nextOf(entry) });
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** What is due now, at most once per job: of several due times that have passed, the last one stands for all. */
  takeDue(now: number): DueJob[] {
    const due: DueJob[] = [];
    for (const entry of this.#entries.values()) {
      setClock(entry, now);
      if (entry.next > now) continue;
      const { name, schedule, timezone } = entry.job;
      const last = lastFire(schedule, timezone, entry.next, now);
      entry.considered = last;
      if (!entry.dealtWith.has(last)) due.push({ name, due: last, isMissed: isMissed(last, now) });
      remember(entry.dealtWith, last);
      entry.next = nextOf(entry);
    }
    return due;
  }

  /** The first time at which a job comes due; Infinity when none does. */
  nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) next = Math.min(next, entry.next);
    return next;
  }
}

/** Takes a clock that was set into account: back, or forward again to where it has been. */
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

function remember(dealtWith: Set<number>, due: number): void {
  dealtWith.add(due);
  for (const oldest of dealtWith) {
    if (dealtWith.size <= mostDealtWith) return;
    dealtWith.delete(oldest);
  }
}

function isSame(a: TimetableJob, b: TimetableJob): boolean {
  return a.enabled === b.enabled && a.schedule === b.schedule && a.timezone === b.timezone;
}

/** The first due time after `considered` that was not dealt with before. @throws when its schedule or zone can't be read */
function nextOf({ job, considered, dealtWith }: Omit<Entry, "next">): number {
  let next = nextFire(job.schedule, job.timezone, considered);
  if (!job.enabled) return Number.POSITIVE_INFINITY;
  while (next !== undefined && dealtWith.has(next)) next = nextFire(job.schedule, job.timezone, next);
  return next ?? Number.POSITIVE_INFINITY;
}
