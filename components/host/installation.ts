import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { isSameStack, type StackIdentity } from "./stack-identity.ts";

/**
 * The id of a stack's installation. It keeps the files of two stacks on one machine apart. The id is computed once,
 * when the stack first needs it. From then on it is in the state (in the environment of its Commands) and, on each
 * machine, in the claim in the installation's folder. It stays the same when the stack is renamed or moved to another
 * backend.
 *
 * @returns 12 hexadecimal digits
 */
export function installationId({ backend, organization = "", project, stack }: StackIdentity): string {
  return digest([backend, organization, project, stack]);
}

/**
 * The ids that a stack's installation had before claims existed. They depend on the spelling of the backend.
 *
 * @param spellings of the backend
 */
export function unclaimedIds({ backend, project, stack }: StackIdentity, spellings: readonly string[]): string[] {
  const all = [...spellings, backend, backend.replace(`file://${homedir()}`, "file://~")];
  return [...new Set(all.map((each) => digest([each.replace(/\/+$/, ""), project, stack])))];
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12);
}

/** An installation on this machine. */
export interface Installed {
  readonly id: string;
  /** The stack that applied it last; undefined if it was created before claims existed. */
  readonly claim: StackIdentity | undefined;
}

export interface Choice {
  readonly id: string;
  /** Another stack that claims the same installation, unless it is gone. */
  readonly rival: StackIdentity | undefined;
  /** Other installations here that belong to this stack too: they would fire in addition to the chosen one. */
  readonly others: readonly string[];
}

/**
 * Finds the installation of a stack.
 *
 * @param inState the ids in the stack's state: empty before the first update; undefined if the state was not read
 * @param unclaimed `unclaimedIds` of the stack
 */
export function chooseInstallation(
  identity: StackIdentity,
  known: {
    readonly installed: readonly Installed[];
    readonly inState: readonly string[] | undefined;
    readonly unclaimed: readonly string[];
  },
): Choice {
  const { installed, inState = [], unclaimed } = known;
  const claimOf = new Map(installed.map(({ id, claim }) => [id, claim]));
  const own = installed.flatMap(({ id, claim }) => (claim !== undefined && isSameStack(claim, identity) ? [id] : []));
  const isHere = (id: string) => claimOf.has(id);
  const adoptable = unclaimed.filter((id) => isHere(id) && claimOf.get(id) === undefined);
  const id =
    inState.find((each) => own.includes(each)) ??
    inState.find(isHere) ??
    inState[0] ??
    own[0] ??
    adoptable[0] ??
    installationId(identity);
  const claim = claimOf.get(id);
  return {
    id,
    rival: claim === undefined || own.includes(id) ? undefined : claim,
    others: [...new Set([...own, ...inState.filter(isHere), ...adoptable])].filter((other) => other !== id),
  };
}
