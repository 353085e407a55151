import { type Command, InvalidArgumentError } from "commander";
import { type CronModalObservation, cronObservation } from "../../../components/cron/inspect/on-modal.ts";
import { recordedRuns, waitingRuns } from "../../../components/cron/inspect/recorded-runs.ts";
import type { Waiting } from "../../../components/cron/local/runs/due-times.ts";
import type { Run } from "../../../components/cron/run-records.ts";
import { duration, shortTime } from "../../../components/lib/times.ts";
import { warnUnreached } from "../../../components/modal/modal-observation.ts";
import { answer, contextOf, type Inspected, providerOption } from "../context.ts";
import { refuseOthers } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";
import { examples } from "../options.ts";
import { table } from "../terminal/table.ts";
import { requireKnown } from "./deployed.ts";

export function addRuns(program: Command): void {
  program
    .command("runs")
    .argument("[name]", "the changeling; by default all")
    .option("-n, --limit <count>", "how many, newest first", wholeNumber, 20)
    .addOption(providerOption())
    .description("show the run history: why each run fired, when, and its outcome")
    .addHelpText("after", examples("runs", "runs todo-ledger --limit 5", "runs --json"))
    .action(async (name: string | undefined, options: { limit: number }, command: Command) => {
      const context = contextOf(command);
      if (name !== undefined) refuseOthers(context, name, "runs");
      const modal = await cronObservation(await context.modal(name));
      const runs = await recordedRuns(context, modal, { name, limit: options.limit });
      const waiting = waitingRuns(context, name);
      const all = [...waiting.map((each) => ({ ...each, outcome: "waiting" })), ...runs];
      if (all.length === 0) await requireAny(context, modal, name);
      answer(context, all, all.length === 0 ? "No runs yet." : runsText(runs, waiting));
      warnUnreached(modal);
    });
}

/** @throws if the stack does not exist, or contains nothing of this name: then there can be no runs */
async function requireAny(context: Inspected, modal: CronModalObservation, name: string | undefined): Promise<void> {
  if (name !== undefined) await requireKnown(context, modal, name);
  else if (modal.kind !== "unreached") await requireStack(context, modal);
}

export function runsText(runs: readonly Run[], waiting: readonly Waiting[] = [], now: Date = new Date()): string {
  const waits = waiting.map(({ changeling, cause, since }) => [
    changeling,
    "",
    cause.kind.replace("_", " "),
    "waiting",
    duration((now.getTime() - Date.parse(since)) / 1000),
    "for other runs to end",
  ]);
  const rows = runs.map((run) => [
    run.id,
    shortTime(new Date(run.firedAt)),
    run.cause.kind.replace("_", " "),
    run.outcome?.replace("_", " ") ?? "running",
    run.durationSeconds === undefined ? "" : duration(run.durationSeconds),
    whatCameOf(run),
  ]);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return table(["RUN", `FIRED (${zone})`, "WHY", "OUTCOME", "TOOK", "WHAT"], [...waits, ...rows]);
}

function whatCameOf({ reason, commits, warnings }: Run): string {
  const what = reason ?? commits.map(({ subject }) => subject).join("; ");
  return [what, ...warnings.map((warning) => `warning: ${warning}`)].filter((each) => each !== "").join("; ");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number, at least 1.");
  return value;
}
