import type { Command } from "commander";
import { setEnabled } from "../../../components/fleet/edit.ts";
import { optionIn } from "../../../components/fleet/edit-tables.ts";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import { appliedText, appliedWeb } from "../../../components/web/inspect/applied.ts";
import { answer, contextOf } from "../context.ts";
import { applyPart } from "../fleet-file/apply.ts";
import { plannedEdit, showEdit, writeEdit } from "../fleet-file/edit-fleet.ts";
import { editOf, requireDeclared } from "../kinds.ts";
import { examples } from "../options.ts";

export function addStopStart(program: Command): void {
  for (const [verb, enabled, description] of [
    ["stop", false, "set `enabled = false` for a web changeling in the fleet file and apply it: its agent is stopped"],
    ["start", true, "set `enabled = true` for a web changeling in the fleet file and apply it: its agent runs again"],
  ] as const) {
    program
      .command(verb)
      .argument("<name>", "the web changeling")
      .description(description)
      .addHelpText(
        "after",
        `\nIts repository, data and logins are kept. Nothing else in the stack is applied.\n${examples(`${verb} elena`, `${verb} elena --json`)}`,
      )
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = contextOf(command);
        const change = (text: string) =>
          (optionIn(text, name, "enabled") ?? true) === enabled ? text : setEnabled(text, name, enabled);
        const edit = await plannedEdit(context.stack, [name], editOf(name, change));
        const { provider } = requireDeclared(edit.fleet, name, verb);
        showEdit(edit);
        writeEdit(edit);
        const state = enabled ? "enabled" : "stopped";
        await applyPart(
          context,
          { names: [name], shared: [forwardingServerType], modal: provider === "modal" },
          `${edit.file} says that ${name} is ${state}, but it could not be applied, for the reason above\ntry again with: changeling ${verb} ${name}`,
        );
        const result = await appliedWeb(context, name);
        answer(context, result, appliedText(result));
      });
  }
}
