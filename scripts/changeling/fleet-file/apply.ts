import { commandSuffixes } from "../../../components/kinds.ts";
import { environmentOfTargets } from "../../../components/stack/targets.ts";
import { pulumi } from "../../stack/stack.ts";
import { withStackLock } from "../../stack/stack-lock.ts";
import type { Context } from "../context.ts";
import { type PlannedEdit, writeEdit } from "./edit-fleet.ts";

/** The part of a stack that an `up` is limited to. */
export interface Part {
  /** Names of changelings. */
  readonly names: readonly string[];
  /** Types of components that changelings share, which are applied too. */
  readonly shared?: readonly string[];
  /** Whether to apply what all changelings on Modal share too; the first one there needs it. */
  readonly modal?: boolean;
}

/**
 * Writes an edit of the fleet file, and applies that part of the stack, while no other command changes it.
 *
 * @param whenItFails the resulting state and what the user can do, in words
 * @param between is called when the edit is written
 * @throws as `writeEdit`; if it could not be applied; Pulumi has printed why
 */
export function writeAndApply(
  context: Context,
  edit: PlannedEdit,
  part: Part,
  whenItFails: string,
  between: () => Promise<void> = async () => {},
): Promise<void> {
  return withStackLock(context.stack, async () => {
    writeEdit(edit);
    await between();
    await applyPart(context, part, whenItFails);
  });
}

/**
 * Applies a part of the stack. The rest stays unchanged, whatever the fleet file says. Pulumi's progress goes to
 * stderr.
 *
 * @param whenItFails the resulting state and what the user can do, in words
 * @throws if it could not be applied; Pulumi has printed why
 */
async function applyPart({ stack }: Context, part: Part, whenItFails: string): Promise<void> {
  const options = ["--yes", "--skip-preview", "--suppress-outputs"];
  const { code } = await pulumi(
    stack,
    [
      "up",
      ...options,
      ...(process.stderr.isTTY ? [] : ["--non-interactive", "--color", "never"]),
      ...targetsOf(part).flatMap((target) => ["--target", target]),
    ],
    { capture: false, onStderr: true, env: environmentOfTargets(part.names) },
  );
  if (code !== 0) throw new Error(whenItFails);
}

/**
 * URNs for `pulumi up --target`, with wildcards because the URNs of children contain their component's type. Targets
 * without a match are ignored, so that changelings deleted from the file are removed in the same way.
 */
export function targetsOf({ names, shared = [], modal = false }: Part): string[] {
  return [
    ...names.flatMap((name) => [
      `**::changelings:*:*Changeling::${name}`,
      ...commandSuffixes.map((suffix) => `**Changeling$command:local:Command::${name}-${suffix}`),
    ]),
    ...shared.map((type) => `**::${type}**`),
    ...(modal ? ["**::changelings:modal:ModalHome**"] : []),
  ];
}
