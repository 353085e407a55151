import { type Command, Option } from "commander";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { kinds } from "../../components/kinds.ts";
import { printJson, printText } from "../../components/lib/terminal.ts";
import type { InspectedStack } from "../../components/stack/inspection.ts";
import { devStack } from "../stack/dev-stack.ts";
import { commandsOn, installationOf, shortNameOf } from "../stack/stack.ts";
import { observeModalIfNeeded } from "./observe-modal.ts";
import type { StackSelection } from "./stack-selection.ts";

/** A stack with what the kinds need to inspect it. */
export interface Inspected extends StackSelection, InspectedStack {
  readonly provider: string | undefined;
}

/** What every command receives: the stack, and the output format. */
export interface Context extends Inspected {
  readonly json: boolean;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<{ stack: string; json?: boolean; provider?: string }>();
  const stack = options.stack === "dev" ? devStack() : { name: options.stack };
  const paths = installationPaths(installationOf(stack));
  Object.assign(process.env, commandsOn(stack));
  return { ...inspected({ stack, paths, provider: options.provider }), json: options.json === true };
}

export function inspected(selection: StackSelection): Inspected {
  const sides = new Map<string | undefined, ReturnType<typeof observeModalIfNeeded>>();
  return {
    ...selection,
    name: shortNameOf(selection.stack),
    installation: installationOf(selection.stack),
    modal(changeling) {
      const side = sides.get(changeling) ?? observeModalIfNeeded(selection, changeling);
      sides.set(changeling, side);
      return side;
    },
  };
}

/** The providers of some kind, in the order in which the kinds name them. */
const providers: readonly string[] = [
  ...new Set(
    Object.values(kinds)
      .toSorted((a, b) => b.providers.length - a.providers.length)
      .flatMap((kind): readonly string[] => kind.providers),
  ),
];

/** For commands that show what is deployed. */
export function providerOption(): Option {
  return new Option("--provider <name>", "only what is deployed on this provider").choices(providers);
}

/** Prints one answer, as JSON or as text. */
export function answer({ json }: Pick<Context, "json">, data: unknown, text: string): void {
  if (json) printJson(data);
  else if (text !== "") printText(`${text}\n`);
}
