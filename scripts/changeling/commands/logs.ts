import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { Run } from "../../../components/cron/run-records.ts";
import type { InstallationPaths } from "../../../components/host/installation-paths.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printText } from "../../../components/lib/terminal.ts";
import { readRecord, type WebRecord } from "../../../components/web/agent/record.ts";
import { answer, type Context, contextOf, type Place, providerOption } from "../context.ts";
import { requireKnown } from "../deployed.ts";
import { removedText } from "../kinds.ts";
import type { ModalSide } from "../modal-fleet.ts";
import { modalSide } from "../modal-side.ts";
import { examples } from "../options.ts";
import { type RunOnProvider, recordedRun, recordedRuns } from "../recorded-runs.ts";
import { runReport } from "../terminal/run-text.ts";
import { mngrFor } from "../web-side.ts";

export function addLogs(program: Command): void {
  program
    .command("logs")
    .argument("<name>", "the changeling")
    .argument("[run]", "a run's id from `changeling runs`; by default the newest")
    .option("-f, --follow", "keep printing what a web changeling's agent adds, until Ctrl-C")
    .addOption(providerOption())
    .description("show what a run printed and its outcome; for a web changeling, its agent's conversation or terminal")
    .addHelpText(
      "after",
      examples("logs todo-ledger", "logs todo-ledger todo-ledger-2026-11-21-05-00-00", "logs elena --follow"),
    )
    .action(async (name: string, id: string | undefined, options: Options, command: Command) => {
      const context = contextOf(command);
      const web = readRecord(context.paths, name);
      if (web !== undefined && web.removed !== true) return logsOfWeb(context, web, id, options);
      if (options.follow)
        command.error(`error: --follow is for web changelings; wait for a run with: ${changelingCommand()} run --wait`);
      const modal = await modalSide(context, name);
      const run = await findRun(context, modal, name, id);
      const files = run.provider === "local" ? localLogs(context.paths, run) : await remoteLogs(modal, run);
      const text = files.map(({ file, text: content }) => `--- ${file}\n${content.trimEnd()}`).join("\n");
      answer(context, { run, files }, `${runReport(run)}\n${text === "" ? withoutLogs(run) : text}`);
    });
}

interface Options {
  readonly follow?: boolean;
}

async function logsOfWeb(
  context: Context,
  record: WebRecord,
  run: string | undefined,
  options: Options,
): Promise<void> {
  const { name } = record;
  if (run !== undefined)
    throw new Error(`${name} is a web changeling, which has no runs; its log: ${changelingCommand()} logs ${name}`);
  const { followWebLog, webLog } = await import("../logs-web.ts");
  const mngr = await mngrFor(record, context.paths);
  if (options.follow && !context.json) await followWebLog(record, mngr, (text) => printText(text));
  const text = await webLog(record, mngr);
  answer(context, { name, agentId: record.agentId, text }, text === "" ? "(it has printed nothing yet)" : text);
}

/** How many recent runs to search for one that was not skipped. */
const mostSkipped = 40;

async function findRun(place: Place, modal: ModalSide, name: string, id: string | undefined): Promise<RunOnProvider> {
  const run =
    id === undefined
      ? (await recordedRuns(place, modal, { name, limit: mostSkipped })).find(({ outcome }) => outcome !== "skipped")
      : await recordedRun(place, modal, { changeling: name, id });
  if (run !== undefined) return run;
  const removed = readRecord(place.paths, name);
  if (removed !== undefined) throw new Error(removedText(removed));
  if (modal.kind === "unreached") throw new Error(`there are no runs of ${name} here, and ${modal.error.message}`);
  await requireKnown(place, modal, name);
  if (id === undefined) throw new Error(`${name} has not run yet; fire it with: ${changelingCommand()} run ${name}`);
  throw new Error(`${name} has no run "${id}"; its runs: ${changelingCommand()} runs ${name}`);
}

/** A run's readable files, in the order in which they were written. */
function localLogs(paths: InstallationPaths, run: Run): { file: string; text: string }[] {
  const folder = join(paths.runs, run.changeling, run.id);
  if (!existsSync(folder)) return [];
  const logs = readdirSync(folder).filter((file) => file.endsWith(".log"));
  return logs.sort().map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
}

async function remoteLogs(modal: ModalSide, run: Run): Promise<{ file: string; text: string }[]> {
  if (modal.kind !== "reached" || modal.fleet.volume === undefined) return [];
  const { readRemoteLogs } = await import("../../../components/cron/modal/remote-runs.ts");
  return readRemoteLogs(modal.fleet.volume, run);
}

function withoutLogs(run: RunOnProvider): string {
  if (run.outcome !== undefined) return "(its logs are gone)";
  return run.provider === "local"
    ? "(it has printed nothing yet)"
    : `(its log is kept when it ends; until then: mngr connect ${run.id})`;
}
