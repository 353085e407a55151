import type { Command } from "commander";
import { printText } from "../../../components/lib/terminal.ts";
import type { NotFound } from "../../../components/stack/inspection.ts";
import { answer, type Context, contextOf, providerOption } from "../context.ts";
import { insteadText, kindOf, kindsOn, noSuchChangeling, nounsWith, removedReason } from "../kinds.ts";
import { examples } from "../options.ts";

export function addLogs(program: Command): void {
  program
    .command("logs")
    .argument("<name>", "the changeling")
    .argument("[run]", "a run's id from `changeling runs`; by default the newest")
    .option("-f, --follow", "keep printing what is added, until Ctrl-C; not for runs")
    .addOption(providerOption())
    .description(
      "show what a run printed and its outcome; of other kinds, the agent's conversation, terminal or events",
    )
    .addHelpText(
      "after",
      examples("logs todo-ledger", "logs todo-ledger todo-ledger-2026-11-21-05-00-00", "logs elena --follow"),
    )
    .action(async (name: string, run: string | undefined, options: Options, command: Command) => {
      const context = contextOf(command);
      const known = kindOf(context, name);
      // Without a file on this machine, its kind is one whose changelings can be elsewhere.
      const kinds = known === undefined ? kindsOn(context).filter((kind) => kind.isFoundAnywhere) : [known];
      const unfit = kinds.find(({ verbs }) => verbs["logs --follow"] !== true);
      if (options.follow && unfit !== undefined) {
        const instead = insteadText(unfit, name, "logs --follow");
        command.error(`error: --follow is for ${nounsWith("logs --follow")}; ${instead}`);
      }
      const missing: NotFound[] = [];
      for (const kind of kinds) {
        const inspection = await kind.inspection();
        if (options.follow && !context.json) await inspection.follow?.(context, name, printText);
        const found = await inspection.logs(context, name, run);
        if ("text" in found) return answer(context, found.data, found.text);
        missing.push(found);
      }
      throw await notFound(context, name, missing);
    });
}

interface Options {
  readonly follow?: boolean;
}

async function notFound(context: Context, name: string, missing: readonly NotFound[]): Promise<Error> {
  const reason = removedReason(context, name) ?? missing.find(({ unreached }) => unreached !== undefined)?.unreached;
  if (reason !== undefined) return new Error(reason);
  const deployed = missing.flatMap((each) => each.deployed);
  return noSuchChangeling(context, name, deployed, await context.modal(name));
}
