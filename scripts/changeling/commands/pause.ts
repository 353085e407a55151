import type { Command } from "commander";
import { setEnabled } from "../../../components/fleet/edit.ts";
import { optionIn } from "../../../components/fleet/edit-tables.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { answer, contextOf } from "../context.ts";
import { applyPart } from "../fleet-file/apply.ts";
import { plannedEdit, showEdit, writeEdit } from "../fleet-file/edit-fleet.ts";
import { editOf, requireDeclared } from "../kinds.ts";
import { examples } from "../options.ts";

export function addPause(program: Command): void {
  for (const [verb, enabled, description] of [
    ["pause", false, "set `enabled = false` in the fleet file and apply it: its schedule no longer fires"],
    ["resume", true, "set `enabled = true` in the fleet file and apply it"],
  ] as const) {
    program
      .command(verb)
      .argument("<name>", "the changeling")
      .description(`${description}; other changelings are not changed`)
      .addHelpText("after", examples(`${verb} fixme-fairy`, `${verb} fixme-fairy --json`))
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = contextOf(command);
        const change = (text: string) =>
          (optionIn(text, name, "enabled") ?? true) === enabled ? text : setEnabled(text, name, enabled);
        const edit = await plannedEdit(context.stack, [name], editOf(name, change));
        const { provider } = requireDeclared(edit.fleet, name, verb);
        showEdit(edit);
        writeEdit(edit);
        const state = enabled ? "enabled" : "paused";
        await applyPart(
          context,
          // A changeling that was never applied may be the first that needs the resources shared on Modal.
          { names: [name], modal: enabled && provider === "modal" },
          `${edit.file} says that ${name} is ${state}, but it could not be applied, for the reason above\ntry again with: ${changelingCommand()} ${verb} ${name}`,
        );
        answer(context, { name, enabled }, `${name} is ${state}.`);
      });
  }
}
