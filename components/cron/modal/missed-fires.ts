import type { RecordedRun } from "../run-records.ts";
import { nextFires } from "../schedule.ts";
import type { AppSpec } from "./spec.ts";

/** What a deployed app is expected to do. */
export type FiringApp = Pick<AppSpec, "name" | "schedule" | "timezone" | "enabled" | "appName" | "environment"> & {
  /** Unix seconds. */
  readonly deployedAt: number;
};

/** The function may wait for the one before it, which may take 15 minutes, and for a container. */
const graceSeconds = 1200;
/** Clocks differ; a record may be from shortly before its due time. */
const earlySeconds = 60;
/** At most so many are reported of a changeling, the newest. */
const mostReported = 5;
/** How far back they are searched for: a day, for most schedules, else a year. */
const searchedDays = [1, 366];
const firesAtOnce = 50;

/**
 * The times at which a deployed function was due and left no record at all: it could not start (for instance because a
 * Secret that it was deployed with is gone), or Modal did not call it. Modal offers no list of calls to read this from.
 *
 * @param lastRecordedAt when the changeling's newest recorded run was fired; what lies before it is not searched
 * @returns newest last, as failed runs
 */
export function missedFires(app: FiringApp, lastRecordedAt: Date | undefined, now: Date = new Date()): RecordedRun[] {
  if (!app.enabled) return [];
  const until = now.getTime() - graceSeconds * 1000;
  const recorded = lastRecordedAt === undefined ? 0 : lastRecordedAt.getTime() + earlySeconds * 1000;
  const from = Math.max(app.deployedAt * 1000, recorded);
  if (from >= until) return [];
  return dueTimes(app, from, until)
    .slice(-mostReported)
    .map((due) => missedRun(app, due));
}

function dueTimes({ schedule, timezone }: FiringApp, from: number, until: number): Date[] {
  for (const days of searchedDays) {
    const start = Math.max(from, until - days * 86_400_000);
    const due = firesBetween({ schedule, timezone }, start, until);
    if (due.length >= mostReported || start === from || days === searchedDays.at(-1)) return due;
  }
  return [];
}

function firesBetween({ schedule, timezone }: Pick<FiringApp, "schedule" | "timezone">, from: number, until: number) {
  const found: Date[] = [];
  for (let after = from; ; ) {
    const next = nextFires(schedule, timezone, new Date(after), firesAtOnce);
    found.push(...next.filter((at) => at.getTime() <= until));
    const last = next.at(-1)?.getTime();
    if (last === undefined || last > until || next.length < firesAtOnce) return found;
    after = last;
  }
}

function missedRun({ name, appName, environment }: FiringApp, due: Date): RecordedRun {
  const at = due.toISOString();
  return {
    id: `${name}-${at.slice(0, 19).replace(/[T:]/g, "-")}`,
    changeling: name,
    cause: { kind: "schedule", due: at },
    firedAt: at,
    endedAt: at,
    durationSeconds: 0,
    agentId: undefined,
    branch: undefined,
    repo: undefined,
    commits: [],
    branches: [],
    warnings: [],
    outcome: "failed",
    reason: `its function left no record: it could not start, or Modal did not call it; see: changeling doctor, and: modal app logs ${appName} --env ${environment}`,
    request: undefined,
    intendedAgentId: undefined,
    createdAt: undefined,
    base: undefined,
    worktree: undefined,
    agentIsKept: false,
  };
}
