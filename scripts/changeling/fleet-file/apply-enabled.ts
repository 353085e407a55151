import { setEnabled } from "../../../components/fleet/edit.ts";
import { optionIn } from "../../../components/fleet/edit-tables.ts";
import type { Verb } from "../../../components/fleet/verbs.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import type { Context } from "../context.ts";
import { editOf, requireDeclared } from "../kinds.ts";
import { type Part, writeAndApply } from "./apply.ts";
import { plannedEdit, showEdit } from "./edit-fleet.ts";

export interface EnabledChange {
  readonly name: string;
  readonly enabled: boolean;
  /** The command that does it, to be repeated if it fails. */
  readonly verb: Verb;
  /** What the changeling then is, in words. */
  readonly state: string;
  /** What is applied besides the changeling itself. */
  readonly besides: (provider: string) => Omit<Part, "names">;
}

/**
 * Sets `enabled` of a changeling in the fleet file, and applies it alone.
 *
 * @throws if the file can't be edited, or if the edit could not be applied, with the file's new content in words
 */
export async function applyEnabled(
  context: Context,
  { name, enabled, verb, state, besides }: EnabledChange,
): Promise<void> {
  const change = (text: string) =>
    (optionIn(text, name, "enabled") ?? true) === enabled ? text : setEnabled(text, name, enabled);
  const edit = await plannedEdit(context.stack, [name], editOf(name, change));
  const { provider } = requireDeclared(edit.fleet, name, verb);
  showEdit(edit);
  await writeAndApply(
    context,
    edit,
    { names: [name], ...besides(provider) },
    `${edit.file} says that ${name} is ${state}, but it could not be applied, for the reason above\ntry again with: ${changelingCommand()} ${verb} ${name}`,
  );
}
