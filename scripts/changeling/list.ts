import type { Command } from "commander";
import { installedJobs } from "../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../components/cron/local/job.ts";
import type { InstallationPaths } from "../../components/cron/local/paths.ts";
import { readRuns } from "../../components/cron/local/records.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import type { Run } from "../../components/cron/runs/run.ts";
import { nextFires, scheduleInWords } from "../../components/fleet/index.ts";
import { answer, contextOf } from "./context.ts";
import { examples } from "./program.ts";
import { runInWords } from "./run-text.ts";
import { table } from "./table.ts";
import { shortTime } from "./times.ts";

export interface ListedChangeling {
  readonly name: string;
  readonly kind: "cron";
  readonly provider: "local";
  readonly schedule: string;
  readonly scheduleInWords: string;
  readonly timezone: string;
  readonly enabled: boolean;
  /** ISO 8601, UTC; null while paused. */
  readonly nextRun: string | null;
  readonly lastRun: Run | null;
}

export function addList(program: Command): void {
  program
    .command("list")
    .description("the deployed fleet: when each changeling fires next, and how its last run went")
    .addHelpText("after", examples("list", "list --json | jq '.[] | select(.lastRun.outcome == \"failed\") | .name'"))
    .action((_options: unknown, command: Command) => {
      const context = contextOf(command);
      const fleet = listedFleet(context.paths);
      answer(context, fleet, fleetText(fleet));
      if (fleet.length > 0 && !schedulerState(context.paths).alive) {
        process.stderr.write(
          "warning: the scheduler is not running, so nothing fires; mend it with: npm run pulumi -- up\n",
        );
      }
    });
}

export function listedFleet(paths: InstallationPaths, now: Date = new Date()): ListedChangeling[] {
  const runs = readRuns(paths);
  return installedJobs(paths).map((job) => ({
    name: job.name,
    kind: "cron",
    provider: "local",
    schedule: job.schedule,
    scheduleInWords: scheduleInWords(job.schedule),
    timezone: job.timezone,
    enabled: job.enabled,
    nextRun: nextRunOf(job, now)?.toISOString() ?? null,
    lastRun: runs.find((run) => run.changeling === job.name) ?? null,
  }));
}

function nextRunOf(job: JobSpec, now: Date): Date | undefined {
  return job.enabled ? nextFires(job.schedule, job.timezone, now, 1)[0] : undefined;
}

/** The table of the fleet: schedule in words, time zone, next run, last run. */
export function fleetText(fleet: readonly ListedChangeling[]): string {
  if (fleet.length === 0)
    return "No changeling is deployed on this stack. Declare one and apply it: npm run pulumi -- up";
  return table(
    ["NAME", "WHEN", "TIME ZONE", "NEXT RUN", "LAST RUN"],
    fleet.map(({ name, scheduleInWords: when, timezone, nextRun, lastRun }) => [
      name,
      when,
      timezone,
      nextRun === null ? "paused" : shortTime(new Date(nextRun), timezone),
      lastRun === null ? "never" : runInWords(lastRun),
    ]),
  );
}
