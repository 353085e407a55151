import type { Command } from "commander";
import { runReport, wentWell } from "../../../components/cron/run-text.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { answer, contextOf, providerOption } from "../context.ts";
import { examples } from "../options.ts";
import { fire } from "./fire.ts";

export function addRun(program: Command): void {
  program
    .command("run")
    .argument("<name>", "the changeling to fire, paused or not")
    .option("-w, --wait", "wait until the run has ended; exit 1 if it did not succeed")
    .addOption(providerOption())
    .description("fire a changeling now, in the same way as its schedule does")
    .addHelpText("after", examples("run todo-ledger", "run todo-ledger --wait", "run todo-ledger --wait --json"))
    .action(async (name: string, options: { wait?: boolean }, command: Command) => {
      const context = contextOf(command);
      const fired = await fire(context, name);
      if ("skipped" in fired) {
        answer(context, fired, `${name} was not fired: ${fired.skipped}`);
        process.exitCode = 1;
      } else if (options.wait || fired.isOver) {
        const run = await fired.end();
        answer(context, run, runReport(run));
        if (!wentWell(run)) process.exitCode = 1;
      } else {
        const { runId } = fired;
        answer(context, { runId }, `fired ${runId}; see it with: ${changelingCommand()} logs ${name}`);
      }
    });
}
