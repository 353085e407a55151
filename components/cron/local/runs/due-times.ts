import type { InstallationPaths } from "../../../host/installation-paths.ts";
import type { Cause, RecordLine } from "../../run-records.ts";
import { catchUpWithinDefault, type JobSpec } from "../job.ts";
import { recentLines } from "../records.ts";

/** The due times in the records, which is all that is known after a restart. */

/** How many records to search. A queued run may be fired after later due times were skipped, so one is not enough. */
const mostDueTimes = 20;

type DueTime = Extract<RecordLine, { cause: Cause }>;

/** Recent due times that were fired, skipped or queued. Milliseconds since 1970. */
export function recentDues(paths: InstallationPaths, name: string): number[] {
  const causes = [...recentLines(paths, name)].flatMap((line) => ("cause" in line ? [line.cause] : []));
  return causes.flatMap((cause) => (cause.kind === "manual" ? [] : [Date.parse(cause.due)]));
}

/** A due time that waits for other runs to end. */
export interface Waiting {
  readonly changeling: string;
  readonly cause: Cause;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** The due time that was queued but neither fired nor skipped. */
export function waitingOf(paths: InstallationPaths, changeling: string): Waiting | undefined {
  const dueTimes = recentDueTimes(paths, changeling);
  const queued = dueTimes.find(({ event }) => event === "queued");
  if (queued === undefined) return undefined;
  const isTaken = dueTimes.some(({ event, cause }) => event !== "queued" && dueOf(cause) === dueOf(queued.cause));
  return isTaken ? undefined : { changeling, cause: queued.cause, since: queued.at };
}

/** Why a due time is too old to fire; undefined if it is not. @param now milliseconds since 1970 */
export function whyTooLate(spec: JobSpec, cause: Cause, now: number): string | undefined {
  const { catchUpWithinSeconds: within = catchUpWithinDefault } = spec;
  if (now - dueOf(cause) <= within * 1000) return undefined;
  return `that is longer ago than its catch_up_within of ${inWords(within)}`;
}

function inWords(seconds: number): string {
  const [unit, size] = (
    [
      ["h", 3600],
      ["min", 60],
    ] as const
  ).find(([, each]) => seconds % each === 0) ?? ["s", 1];
  return `${seconds / size} ${unit}`;
}

/** Newest first. */
function recentDueTimes(paths: InstallationPaths, name: string): DueTime[] {
  const dueTimes: DueTime[] = [];
  for (const line of recentLines(paths, name)) {
    if ("cause" in line) dueTimes.push(line);
    if (dueTimes.length === mostDueTimes) break;
  }
  return dueTimes;
}

function dueOf(cause: Cause): number {
  return cause.kind === "manual" ? Number.NEGATIVE_INFINITY : Date.parse(cause.due);
}
