import { upCommand } from "../../lib/own-commands.ts";
import { fromNow, shortTime } from "../../lib/times.ts";
import { unreachedText } from "../../modal/modal-observation.ts";
import type { InspectedStack, Listing } from "../../stack/inspection.ts";
import { schedulerState } from "../local/state.ts";
import type { CronProvider } from "../options.ts";
import type { Run } from "../run-records.ts";
import { runInWords } from "../run-text.ts";
import { nextFires, scheduleInWords } from "../schedule.ts";
import { type Deployed, type DeployedFleet, deployedFleet } from "./deployed.ts";
import { lastRuns, waitingRuns } from "./recorded-runs.ts";

export interface ListedCron {
  readonly name: string;
  readonly kind: "cron";
  readonly provider: CronProvider;
  readonly schedule: string;
  readonly scheduleInWords: string;
  readonly timezone: string;
  readonly enabled: boolean;
  /** ISO 8601, UTC; null while paused, and for changelings without a schedule. */
  readonly nextRun: string | null;
  readonly lastRun: Run | null;
  /** Since when a due run has been waiting for others to end. ISO 8601, UTC; null if none waits. */
  readonly waitingSince: string | null;
  /** Why it does not fire although it is not paused; null if it fires. */
  readonly problem: string | null;
}

/** Schedule in words, time zone, next run and last run of each. */
export async function cronListing(stack: InspectedStack, now: Date = new Date()): Promise<Listing<ListedCron>> {
  const deployed = await deployedFleet(stack);
  const changelings = await listed(stack, deployed, now);
  return {
    changelings,
    columns: ["WHEN", "TIME ZONE", "NEXT RUN", "LAST RUN"],
    cells: changelings.map((each) => [each.scheduleInWords, each.timezone, nextRunText(each), lastRunText(each, now)]),
    warnings: warningsOf(stack, deployed),
    incomplete: unreachedText(deployed.modal),
  };
}

function warningsOf({ paths }: InspectedStack, { changelings, problems }: DeployedFleet): string[] {
  const isIdle = changelings.some(({ provider }) => provider === "local") && !schedulerState(paths).alive;
  return [
    ...problems.map(({ name, problem }) => `${name} does not fire: ${problem}`),
    ...changelings.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`${name} does not fire: ${problem}; repair it with: ${upCommand()}`],
    ),
    ...(isIdle
      ? [`the scheduler is not running, so nothing fires on this machine; repair it with: ${upCommand()}`]
      : []),
  ];
}

/** The deployed fleet with each changeling's next fire and last run. */
async function listed(stack: InspectedStack, { changelings, modal }: DeployedFleet, now: Date): Promise<ListedCron[]> {
  const runs = changelings.length === 0 ? [] : await lastRuns(stack, modal);
  const waiting = new Map(waitingRuns(stack).map(({ changeling, since }) => [changeling, since]));
  return changelings.map((each) => ({
    name: each.name,
    kind: "cron",
    provider: each.provider,
    schedule: each.schedule,
    scheduleInWords: scheduleInWords(each.schedule),
    timezone: each.timezone,
    enabled: each.enabled,
    nextRun: nextRunOf(each, now)?.toISOString() ?? null,
    lastRun: runs.find(({ changeling, provider }) => changeling === each.name && provider === each.provider) ?? null,
    waitingSince: (each.provider === "local" ? waiting.get(each.name) : undefined) ?? null,
    problem: each.problem ?? null,
  }));
}

function nextRunOf({ schedule, timezone, enabled, problem }: Deployed, now: Date): Date | undefined {
  return enabled && problem === undefined ? nextFires(schedule, timezone, now, 1)[0] : undefined;
}

function lastRunText({ waitingSince, lastRun }: ListedCron, now: Date): string {
  if (waitingSince !== null) return `waiting for other runs, due ${fromNow(new Date(waitingSince), now)}`;
  return lastRun === null ? "never" : runInWords(lastRun, now);
}

function nextRunText({ problem, nextRun, timezone }: ListedCron): string {
  if (problem !== null) return "does not fire";
  return nextRun === null ? "paused" : shortTime(new Date(nextRun), timezone);
}
