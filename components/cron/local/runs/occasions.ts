import type { InstallationPaths } from "../../../installation-paths.ts";
import type { RecordLine } from "../../runs/record-line.ts";
import type { Cause } from "../../runs/run.ts";
import { recentLines } from "../records.ts";

/** What the records tell of the occasions to fire that there were: so much is known after a restart, and no more. */

/** How far back it is looked. A queued run may be fired after later occasions were skipped, so one is not enough. */
const mostOccasions = 20;

type Occasion = Extract<RecordLine, { cause: Cause }>;

/** Due times that were fired, skipped or queued, as far back as is looked. Milliseconds since 1970. */
export function recentDues(paths: InstallationPaths, name: string): number[] {
  const causes = [...recentLines(paths, name)].flatMap((line) => ("cause" in line ? [line.cause] : []));
  return causes.flatMap((cause) => (cause.kind === "manual" ? [] : [Date.parse(cause.due)]));
}

/** Of a run that was queued, and neither fired nor given up. */
export function queuedCause(paths: InstallationPaths, name: string): Cause | undefined {
  const occasions = recentOccasions(paths, name);
  const queued = occasions.find(({ event }) => event === "queued")?.cause;
  if (queued === undefined) return undefined;
  const isTaken = occasions.some(({ event, cause }) => event !== "queued" && dueOf(cause) === dueOf(queued));
  return isTaken ? undefined : queued;
}

/** Newest first. */
function recentOccasions(paths: InstallationPaths, name: string): Occasion[] {
  const occasions: Occasion[] = [];
  for (const line of recentLines(paths, name)) {
    if ("cause" in line) occasions.push(line);
    if (occasions.length === mostOccasions) break;
  }
  return occasions;
}

function dueOf(cause: Cause): number {
  return cause.kind === "manual" ? Number.NEGATIVE_INFINITY : Date.parse(cause.due);
}
