/** Pulumi does not tell a program the targets of an `up`, so the caller that sets them passes them in this variable. */
const variable = "CHANGELINGS_TARGETS";

/** For an `up` whose targets belong to these changelings alone. */
export function environmentOfTargets(names: readonly string[]): Record<string, string> {
  return { [variable]: names.join(",") };
}

/** The names of the targeted changelings; undefined if the `up` is not known to be limited. */
export function targetedNames(env: NodeJS.ProcessEnv): ReadonlySet<string> | undefined {
  const names = env[variable];
  return names === undefined ? undefined : new Set(names.split(","));
}
