import type { Command } from "commander";
import { printNote, printText } from "../../../components/lib/terminal.ts";
import { answer, contextOf } from "../context.ts";
import { stackProblem } from "../known-stack.ts";
import { examples } from "../options.ts";
import { planMarkdown } from "../plan/markdown.ts";
import { planOf } from "../plan/preview.ts";
import { planText } from "../plan/text.ts";
import { withProgress } from "../terminal/progress.ts";

export function addPlan(program: Command): void {
  program
    .command("plan")
    .description("show in words what the next `pulumi up` changes, with the next three fire times before and after")
    .option("--markdown", "print Markdown, for a comment on a pull request")
    .addHelpText("after", examples("plan", "plan --json", "plan --markdown", "--stack production plan"))
    .action(async (options: { markdown?: boolean }, command: Command) => {
      const context = contextOf(command);
      const plan = await withProgress({ what: () => "previewing the fleet", end: planOf(context.stack) });
      if (options.markdown) {
        printText(planMarkdown(plan, { stack: context.stack.name }));
        if (plan.errors.length > 0) process.exitCode = 1;
        return;
      }
      if (plan.errors.length > 0) {
        const errors = plan.errors.map((error) => stackProblem(context.stack, error));
        throw new Error((await Promise.all(errors)).join("\n"));
      }
      for (const warning of plan.warnings) printNote(`warning: ${warning}\n`);
      answer(context, { changes: plan.changes }, planText(plan.changes));
    });
}
