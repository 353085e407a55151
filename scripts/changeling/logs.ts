import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { InstallationPaths } from "../../components/cron/local/paths.ts";
import { readRuns } from "../../components/cron/local/records.ts";
import type { Run } from "../../components/cron/runs/run.ts";
import { answer, contextOf } from "./context.ts";
import { examples } from "./program.ts";
import { runReport } from "./run-text.ts";

export function addLogs(program: Command): void {
  program
    .command("logs")
    .argument("<name>", "the changeling")
    .argument("[run]", "a run's id from `changeling runs`; the newest when left out")
    .description("what a run printed, and what came of it")
    .addHelpText("after", examples("logs todo-ledger", "logs todo-ledger todo-ledger-2026-11-21-05-00-00"))
    .action((name: string, id: string | undefined, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const run = findRun(context.paths, name, id);
      const files = logFiles(context.paths, run);
      const text = files.map(({ file, text: content }) => `--- ${file}\n${content.trimEnd()}`).join("\n");
      answer(context, { run, files }, `${runReport(run)}\n${text === "" ? "(its logs are gone)" : text}`);
    });
}

function findRun(paths: InstallationPaths, name: string, id: string | undefined): Run {
  const runs = readRuns(paths, name);
  const run = runs.find((each) => (id === undefined ? each.outcome !== "skipped" : each.id === id));
  if (run !== undefined) return run;
  if (id === undefined) throw new Error(`${name} has not run yet; fire it with: changeling run ${name}`);
  throw new Error(`${name} has no run "${id}"; its runs: changeling runs ${name}`);
}

/** What the run left to be read, in the order that it was written. */
function logFiles(paths: InstallationPaths, run: Run): { file: string; text: string }[] {
  const folder = join(paths.runs, run.changeling, run.id);
  if (!existsSync(folder)) return [];
  const logs = readdirSync(folder).filter((file) => file.endsWith(".log"));
  return logs.sort().map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
}
