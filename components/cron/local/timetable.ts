import { Cron } from "croner";
import { cronOptions } from "../../fleet/cron-options.ts";

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
  /** All due times up to here have been dealt with. */
  considered: number;
  /** The first due time after `considered`; Infinity for a disabled job, or one that never comes due again. */
  next: number;
}

export class Timetable {
  readonly #entries = new Map<string, Entry>();

  /**
   * Adds a job, or takes over a change of it.
   * @param since nothing that was due before is made up for: when the job was installed, or the last due time on record
   * @throws when its schedule or its zone can't be read
   */
  set(job: TimetableJob, since: number): void {
    const known = this.#entries.get(job.name);
    if (known !== undefined && isSame(known.job, job)) return;
    const considered = Math.max(since, known?.considered ?? Number.NEGATIVE_INFINITY);
    const entry = { job, considered, next: Number.POSITIVE_INFINITY };
    entry.next = nextOf(entry);
    this.#entries.set(job.name, entry);
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
      if (entry.considered > now + clockSlackMs) {
        entry.considered = now;
        entry.next = nextOf(entry);
      }
      if (entry.next > now) continue;
      const last = lastOf(entry, now);
      due.push({ name: entry.job.name, due: last, isMissed: isMissed(last, now) });
      entry.considered = last;
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

function isSame(a: TimetableJob, b: TimetableJob): boolean {
  return a.enabled === b.enabled && a.schedule === b.schedule && a.timezone === b.timezone;
}

/** Made anew each time, and not kept: each takes 80 kB. */
function cronOf({ schedule, timezone }: TimetableJob): Cron {
  return new Cron(schedule, { ...cronOptions(timezone), paused: true });
}

function nextOf({ job, considered }: Entry): number {
  const cron = cronOf(job);
  if (!job.enabled) return Number.POSITIVE_INFINITY;
  return cron.nextRun(new Date(considered))?.getTime() ?? Number.POSITIVE_INFINITY;
}

/** The last due time up to `now`; `next` is one. */
function lastOf({ job, next }: Entry, now: number): number {
  const cron = cronOf(job);
  // croner looks back from a whole second, itself not included.
  const last = cron.previousRuns(1, new Date(now + 1000))[0]?.getTime() ?? next;
  if (last <= now) return Math.max(last, next);
  return Math.max(cron.previousRuns(1, new Date(last))[0]?.getTime() ?? next, next);
}
