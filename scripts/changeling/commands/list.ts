import type { Command } from "commander";
import { schedulerState } from "../../../components/cron/local/state.ts";
import type { CronProvider } from "../../../components/cron/options.ts";
import type { Run } from "../../../components/cron/run-records.ts";
import { nextFires, scheduleInWords } from "../../../components/cron/schedule.ts";
import { changelingCommand, upCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { answer, contextOf, looksAt, type Place, providerOption } from "../context.ts";
import { type Deployed, type DeployedFleet, deployedFleet } from "../deployed.ts";
import { differenceInWords, fileDifferences } from "../fleet-file/applied.ts";
import { requireStack } from "../known-stack.ts";
import { warnUnreached } from "../modal-side.ts";
import { examples } from "../options.ts";
import { lastRuns, waitingRuns } from "../recorded-runs.ts";
import { runInWords } from "../terminal/run-text.ts";
import { table } from "../terminal/table.ts";
import { fromNow, shortTime } from "../terminal/times.ts";
import { visibly } from "../terminal/visibly.ts";
import { type ListedWeb, listedWeb } from "../web-side.ts";

export interface ListedChangeling {
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

export function addList(program: Command): void {
  program
    .command("list")
    .description(
      "list the deployed fleet: when each fires next and how its last run ended; for web changelings, state and URL",
    )
    .addOption(providerOption())
    .addHelpText("after", examples("list", "list --json | jq '.[] | select(.lastRun.outcome == \"failed\") | .name'"))
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const { deployed, fleet, web } = await visibly({
        what: () => "reading what is deployed",
        isShort: true,
        end: observed(context),
      });
      // If Modal was not reached, the whole fleet may be there.
      if (fleet.length + web.length === 0) await requireStack(context, deployed.modal);
      const isKnown = fleet.length + web.length > 0 || deployed.modal.kind !== "unreached";
      answer(context, [...fleet, ...web], isKnown ? listText(fleet, web) : "");
      for (const difference of looksAt(context, "local") ? await fileDifferences(context.stack, false) : []) {
        printNote(`warning: ${differenceInWords(difference)}; repair it with: ${upCommand()}\n`);
      }
      warn(context, deployed);
      warnOfWeb(web);
    });
}

/** mngr takes seconds, so it is queried first. */
async function observed(context: Place) {
  const web = listedWeb(context);
  web.catch(() => {});
  const deployed = await deployedFleet(context);
  return { deployed, fleet: await listed(context, deployed), web: await web };
}

function warn({ paths }: Place, { changelings, faults, modal }: DeployedFleet): void {
  const lines = [
    ...faults.map(({ name, problem }) => `${name} does not fire: ${problem}`),
    ...changelings.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`${name} does not fire: ${problem}; repair it with: ${upCommand()}`],
    ),
  ];
  if (changelings.some(({ provider }) => provider === "local") && !schedulerState(paths).alive)
    lines.push(`the scheduler is not running, so nothing fires on this machine; repair it with: ${upCommand()}`);
  for (const line of lines) printNote(`warning: ${line}\n`);
  warnUnreached(modal);
}

const stateWords = {
  died: "dead (its process ended)",
  gone: "gone from mngr",
  stopped: "stopped",
  "not running": "stopped",
};

function warnOfWeb(web: readonly ListedWeb[]): void {
  const unseen = web.filter(({ state }) => state === "unknown").map(({ name }) => name);
  if (unseen.length > 0)
    printNote(`warning: mngr does not report the state of ${unseen.join(", ")}; see: ${changelingCommand()} doctor\n`);
  for (const { name, enabled, state } of web) {
    if (!enabled || state === "running" || state === "unknown") continue;
    if (state === "failed") {
      printNote(`warning: ${name} never started; try again with: ${changelingCommand()} update ${name}\n`);
      continue;
    }
    printNote(
      `warning: ${name} should be running, but is ${stateWords[state]}; repair it with: ${changelingCommand()} start ${name}\n`,
    );
  }
}

/** The deployed fleet with each changeling's next fire and last run. */
export async function listed(
  context: Place,
  { changelings, modal }: DeployedFleet,
  now: Date = new Date(),
): Promise<ListedChangeling[]> {
  const runs = changelings.length === 0 ? [] : await lastRuns(context, modal);
  const waiting = new Map(waitingRuns(context).map(({ changeling, since }) => [changeling, since]));
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

/** One table per kind in use. */
export function listText(fleet: readonly ListedChangeling[], web: readonly ListedWeb[]): string {
  if (web.length === 0) return fleetText(fleet);
  return fleet.length === 0 ? webText(web) : `${fleetText(fleet)}\n\n${webText(web)}`;
}

function webText(web: readonly ListedWeb[], now: Date = new Date()): string {
  const isAllLocal = web.every(({ provider }) => provider === "local");
  return table(
    ["NAME", ...(isAllLocal ? [] : ["WHERE"]), "STATE", "URL", "LAST ACTIVITY"],
    web.map(({ name, provider, state, url, lastActivity }) => [
      name,
      ...(isAllLocal ? [] : [provider]),
      state,
      url ?? "",
      lastActivity === null ? "none known" : fromNow(new Date(lastActivity), now),
    ]),
  );
}

/**
 * The fleet's table: schedule in words, time zone, next run, last run, and the provider if some are not on this
 * machine.
 */
export function fleetText(fleet: readonly ListedChangeling[]): string {
  if (fleet.length === 0) return `No changeling is deployed on this stack. Declare one and apply it: ${upCommand()}`;
  const isAllLocal = fleet.every(({ provider }) => provider === "local");
  return table(
    ["NAME", ...(isAllLocal ? [] : ["WHERE"]), "WHEN", "TIME ZONE", "NEXT RUN", "LAST RUN"],
    fleet.map((each) => [
      each.name,
      ...(isAllLocal ? [] : [each.provider]),
      each.scheduleInWords,
      each.timezone,
      nextRunText(each),
      lastRunText(each),
    ]),
  );
}

function lastRunText({ waitingSince, lastRun }: ListedChangeling, now: Date = new Date()): string {
  if (waitingSince !== null) return `waiting for other runs, due ${fromNow(new Date(waitingSince), now)}`;
  return lastRun === null ? "never" : runInWords(lastRun, now);
}

function nextRunText({ problem, nextRun, timezone }: ListedChangeling): string {
  if (problem !== null) return "does not fire";
  return nextRun === null ? "paused" : shortTime(new Date(nextRun), timezone);
}
