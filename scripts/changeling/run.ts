import type { Command } from "commander";
import { waitForRun } from "../../components/cron/local/records.ts";
import { requestRun } from "../../components/cron/local/requests.ts";
import type { Run } from "../../components/cron/runs/run.ts";
import { answer, type Context, contextOf } from "./context.ts";
import { requireInstalled } from "./installed.ts";
import { examples } from "./program.ts";
import { runReport, wentWell } from "./run-text.ts";
import { duration } from "./times.ts";

export function addRun(program: Command): void {
  program
    .command("run")
    .argument("<name>", "the changeling to fire, paused or not")
    .option("-w, --wait", "wait until the run has ended; exit 1 when it did not go well")
    .description("fire one now, through the very same path as its schedule")
    .addHelpText("after", examples("run todo-ledger", "run todo-ledger --wait", "run todo-ledger --wait --json"))
    .action(async (name: string, options: { wait?: boolean }, command: Command) => {
      const context = contextOf(command);
      requireInstalled(context.paths, name);
      const fired = await requestRun(context.paths, name);
      if ("skipped" in fired) {
        answer(context, fired, `${name} was not fired: ${fired.skipped}`);
        process.exitCode = 1;
      } else if (options.wait) {
        const run = await waitVisibly(context, name, fired.runId);
        answer(context, run, runReport(run));
        if (!wentWell(run)) process.exitCode = 1;
      } else {
        answer(context, fired, `fired ${fired.runId}; follow it with: changeling logs ${name}`);
      }
    });
}

/** Waits with a line that says for how long: in place on a terminal, every 30 s elsewhere. */
export async function waitVisibly(context: Pick<Context, "paths">, name: string, runId: string): Promise<Run> {
  const started = Date.now();
  const isTerminal = process.stderr.isTTY === true;
  const show = () => {
    const text = `${runId} is running … ${duration((Date.now() - started) / 1000)}`;
    process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const timer = setInterval(show, isTerminal ? 1000 : 30_000);
  show();
  try {
    return await waitForRun(context.paths, name, runId);
  } finally {
    clearInterval(timer);
    if (isTerminal) process.stderr.write("\r\u001b[K");
  }
}
