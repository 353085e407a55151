import type { RecordedRun } from "../run-records.ts";
import { nextFires } from "../schedule.ts";
import type { AppSpec } from "./spec.ts";

/** What a deployed app is expected to do. */
export type FiringApp = Pick<AppSpec, "name" | "schedule" | "timezone" | "enabled" | "appName" | "environment"> & {
  /** Unix seconds. */
  readonly deployedAt: number;
};

/** The function may wait for the previous call, which may take 15 minutes, and for a container. */
const graceSeconds = 1200;
/** Allows for clock differences: a record may be slightly older than its due time. */
const earlySeconds = 60;
/** At most this many are reported per changeling, the newest. */
const mostReported = 5;
/** How far back to search: a day for most schedules, otherwise a year. */
const searchedDays = [1, 366];
const firesAtOnce = 50;

/**
 * Due times at which a deployed function left no record: it could not start (for instance because a Secret it was
 * deployed with no longer exists), or Modal did not call it. Modal offers no list of calls to read this from.
 *
 * @param lastRecordedAt when the changeling's newest recorded run was fired; earlier due times are not searched
 * @returns failed runs, newest last
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
