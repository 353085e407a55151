import { commandSuffixes } from "../../../components/command-suffixes.ts";
import { environmentOfTargets } from "../../../components/stack/targets.ts";
import { pulumi } from "../../stack/stack.ts";
import type { Context } from "../context.ts";

/** What an `up` is limited to. */
export interface Part {
  /** Names of changelings. */
  readonly names: readonly string[];
  /** Whether the forwarding server is applied too. */
  readonly forwarding?: boolean;
  /** Whether what all changelings on Modal share is applied too, which the first one there needs. */
  readonly modal?: boolean;
}

/**
 * Applies a part of the stack: the rest of it stays as it is, whatever the fleet file says. Pulumi's progress goes to
 * stderr.
 *
 * @param whenItFails what then stands and what a person can do, in words
 * @throws when it could not be applied; Pulumi has said why
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
 * URNs for `pulumi up --target`. With wildcards, because a component's type stands in the URNs of what it is made of;
 * one that matches nothing is passed over, so that what was taken out of the file is removed in the same way.
 */
export function targetsOf({ names, forwarding = false, modal = false }: Part): string[] {
  return [
    ...names.flatMap((name) => [
      `**::changelings:*:*Changeling::${name}`,
      ...commandSuffixes.map((suffix) => `**Changeling$command:local:Command::${name}-${suffix}`),
    ]),
    ...(forwarding ? ["**::changelings:web:ForwardingServer**"] : []),
    ...(modal ? ["**::changelings:modal:ModalHome**"] : []),
  ];
}
