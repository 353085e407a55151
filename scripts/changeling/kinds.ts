import { declaredNames } from "../../components/fleet/edit-tables.ts";
import type { Kind, ResolvedChangeling } from "../../components/fleet/kind.ts";
import type { Verb } from "../../components/fleet/verbs.ts";
import { type Fleet, kinds } from "../../components/kinds.ts";
import { upCommand } from "../../components/lib/own-commands.ts";
import { didYouMean } from "../../components/lib/suggest.ts";
import type { ModalObservation } from "../../components/modal/modal-observation.ts";
import type { DeployableKind } from "../../components/stack/deployment.ts";
import { requireStack } from "./known-stack.ts";
import type { StackSelection } from "./stack-selection.ts";

type AnyKind = Pick<Kind, "noun" | "verbs" | "known" | "isFoundAnywhere"> & Pick<DeployableKind, "inspection">;

export const allKinds: readonly AnyKind[] = Object.values(kinds);
const byName: Readonly<Record<string, AnyKind | undefined>> = kinds;

/** The error for a command that the kind does not have, with what to do instead. */
function instead(kind: Pick<Kind, "noun" | "verbs">, name: string, verb: Verb): Error {
  const article = /^[aeiou]/.test(kind.noun) ? "an" : "a";
  return new Error(`${name} is ${article} ${kind.noun}: ${insteadText(kind, name, verb)}`);
}

export function insteadText({ verbs }: Pick<Kind, "verbs">, name: string, verb: Verb): string {
  const own = verbs[verb];
  return typeof own === "function" ? own(name) : `"${verb}" is only for ${nounsWith(verb)}`;
}

/** The kinds that have a command, in words: "web changelings and sandboxes". */
export function nounsWith(verb: Verb): string {
  return allKinds
    .filter(({ verbs }) => verbs[verb] === true)
    .map(({ noun }) => plural(noun))
    .join(" and ");
}

/** "1 sandbox", "2 sandboxes". */
export function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : plural(noun)}`;
}

function plural(noun: string): string {
  return /(x|s|ch)$/.test(noun) ? `${noun}es` : `${noun}s`;
}

/** The kinds that a stack may contain, as far as this machine knows. */
export function kindsOn({ paths }: Pick<StackSelection, "paths">): AnyKind[] {
  return allKinds.filter((kind) => kind.isFoundAnywhere === true || kind.known(paths).length > 0);
}

/** The kind of a deployed changeling that this machine knows. */
export function kindOf({ paths }: Pick<StackSelection, "paths">, name: string): AnyKind | undefined {
  return allKinds.find((kind) => kind.known(paths).some((each) => each.name === name && each.removed === undefined));
}

/** @throws with what to do instead if the name is that of a changeling whose kind does not have the command */
export function refuseOthers(selection: Pick<StackSelection, "paths">, name: string, verb: Verb): void {
  const kind = kindOf(selection, name);
  if (kind !== undefined && kind.verbs[verb] !== true) throw instead(kind, name, verb);
}

/** Why a changeling that was removed is not found, in words; undefined if there is none. */
export function removedReason({ paths }: Pick<StackSelection, "paths">, name: string): string | undefined {
  return allKinds.flatMap((kind) => kind.known(paths)).find((each) => each.name === name)?.removed;
}

/**
 * The error for a name that no kind has.
 *
 * @param names of deployed changelings, besides those that this machine knows
 * @throws if the stack does not exist
 */
export async function noSuchChangeling(
  selection: StackSelection,
  name: string,
  names: readonly string[],
  modal: ModalObservation,
): Promise<Error> {
  const known = allKinds.flatMap((kind) => kind.known(selection.paths)).filter(({ removed }) => removed === undefined);
  const deployed = [...new Set([...names, ...known.map((each) => each.name)])];
  if (deployed.length > 0) return new Error(notDeployedText("changeling", name, deployed));
  await requireStack(selection, modal);
  return new Error(`no changeling is deployed on this stack; apply one with: ${upCommand()}`);
}

/** @param names of deployed changelings, at least one */
export function notDeployedText(what: string, name: string, names: readonly string[]): string {
  const meant = didYouMean(name, names);
  const hint = meant === undefined ? `deployed are: ${names.join(", ")}` : `did you mean ${meant}?`;
  return `no ${what} "${name}" is deployed on this stack; ${hint}`;
}

/**
 * An edit of a changeling that the fleet file declares.
 * @throws when applied to an unknown name, with "did you mean"
 */
export function editOf(name: string, change: (text: string) => string): (text: string) => string {
  return (text) => {
    const names = declaredNames(text);
    if (names.has(name)) return change(text);
    const meant = didYouMean(name, names);
    const hint = meant !== undefined ? `; did you mean ${meant}?` : names.size > 0 ? `: ${[...names].join(", ")}` : "";
    throw new Error(`the fleet file declares no changeling "${name}"${hint}`);
  };
}

/** @throws with what to do instead if its kind does not have the command */
export function requireDeclared({ changelings }: Fleet, name: string, verb: Verb): ResolvedChangeling {
  const declared = changelings.find((changeling) => changeling.name === name);
  if (declared === undefined) throw new Error(`the fleet file declares no changeling "${name}"`);
  const kind = byName[declared.kind];
  if (kind !== undefined && kind.verbs[verb] !== true) throw instead(kind, name, verb);
  return declared;
}
