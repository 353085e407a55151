import { appName, parseAppName, parseHomeVolumeName, stackPart } from "../../../components/modal/names.ts";
import type { ObservedModal } from "../../../components/modal/types.ts";

/** A resource of ours on Modal that no stack declares. */
export interface Orphan {
  readonly what: string;
  /** The effect of keeping it, or of removing it. */
  readonly detail: string;
  /** The command that removes it; we never run it. */
  readonly command: string;
  /** True if it belongs to this stack: then nobody can need it. */
  readonly isOurs: boolean;
}

export interface Declared {
  readonly stack: string;
  /**
   * Names of this stack's changelings, declared or applied; undefined if unknown, then none of them counts as an
   * orphan.
   */
  readonly changelings: ReadonlySet<string> | undefined;
  /** Labels of the snapshots that they start from. */
  readonly snapshots: ReadonlySet<string>;
  /** Short names of all stacks; undefined if unknown, then nothing of other stacks counts as an orphan. */
  readonly stacks: readonly string[] | undefined;
}

/** Resources in a stack's environment that belong to nothing declared. */
export function orphansIn(observed: ObservedModal, declared: Declared): Orphan[] {
  const { environment } = observed;
  if (environment === undefined) return [];
  const own = stackPart(declared.stack);
  const known =
    declared.stacks === undefined ? undefined : new Set([declared.stack, ...declared.stacks].map(stackPart));
  const apps = new Set([...(declared.changelings ?? [])].map((name) => appName(declared.stack, name)));

  /** Whose orphan a resource of this name is; undefined if it is not one. */
  const ownerOf = (name: string): "ours" | "others" | undefined => {
    const part = parseAppName(name)?.stackPart;
    if (part === own) return declared.changelings !== undefined && !apps.has(name) ? "ours" : undefined;
    return known !== undefined && part !== undefined && !known.has(part) ? "others" : undefined;
  };
  const isOfUnknownStack = (part: string | undefined) => known !== undefined && part !== undefined && !known.has(part);
  const env = `--env ${environment}`;

  const live = [...observed.apps.values()].filter(({ state }) => state === "deployed").map(({ name }) => name);
  const found = [
    ...live.map((name) => ({
      what: `app ${name}`,
      owner: ownerOf(name),
      detail: "it may still fire",
      command: `modal app stop ${name} ${env} --yes`,
    })),
    ...[...observed.secrets.keys()].map((name) => ({
      what: `Secret ${name}`,
      owner: ownerOf(name) ?? (isOfUnknownStack(parseHomeVolumeName(name)) ? "others" : undefined),
      detail: "it holds values that nothing needs",
      command: `modal secret delete ${name} ${env} --yes`,
    })),
    ...[...observed.volumes.keys()].map((name) => ({
      what: `volume ${name}`,
      owner: isOfUnknownStack(parseHomeVolumeName(name.replace(/_runs$/, ""))) ? "others" : undefined,
      detail: name.endsWith("_runs")
        ? "run records, which are lost with it"
        : "a stack's identity, and its machines' keys",
      command: `modal volume delete ${name} ${env} --yes`,
    })),
    ...[...observed.snapshots.keys()].map((label) => ({
      what: `snapshot ${label}`,
      owner: declared.changelings === undefined || declared.snapshots.has(label) ? undefined : "ours",
      detail: "nothing starts from it (Modal's CLI can't delete its image, which only takes space)",
      command: `modal volume rm changelings_${own} snapshots/${label}.json ${env}`,
    })),
  ];
  return found
    .flatMap(({ owner, ...orphan }) => (owner === undefined ? [] : [{ ...orphan, isOurs: owner === "ours" }]))
    .sort((a, b) => (a.what < b.what ? -1 : 1));
}

/**
 * Environments other than the stack's own that contain the home of an unknown stack, or a second home of this stack.
 * @param volumes by environment name
 */
export function orphanEnvironments(
  volumes: ReadonlyMap<string, readonly string[]>,
  { stack, stacks }: Pick<Declared, "stack" | "stacks">,
): Orphan[] {
  if (stacks === undefined) return [];
  const others = new Set(stacks.filter((each) => each !== stack).map(stackPart));
  return [...volumes].flatMap(([environment, names]) => {
    const homes = names.flatMap((name) => parseHomeVolumeName(name) ?? []);
    const isOrphan = homes.length > 0 && homes.every((part) => !others.has(part));
    return isOrphan
      ? {
          what: `environment ${environment}`,
          detail: `it holds a home of the stack ${homes.join(", ")}; deleting it also deletes all apps and agents in it`,
          command: `modal environment delete ${environment} --yes`,
          isOurs: false,
        }
      : [];
  });
}
