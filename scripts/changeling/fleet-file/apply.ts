import { commandSuffixes } from "../../../components/kinds.ts";
import { environmentOfTargets } from "../../../components/stack/targets.ts";
import { pulumi } from "../../stack/stack.ts";
import type { Context } from "../context.ts";

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
 * Applies a part of the stack. The rest stays unchanged, whatever the fleet file says. Pulumi's progress goes to
 * stderr.
 *
 * @param whenItFails the resulting state and what the user can do, in words
 * @throws if it could not be applied; Pulumi has printed why
 */
export async function applyPart({ stack }: Context, part: Part, whenItFails: string): Promise<void> {
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
