/** Pulumi does not tell a program which resources an `up` is limited to: who gives it the targets says so by a variable. */
const variable = "CHANGELINGS_TARGETS";

/** For an `up` whose targets are of these changelings alone. */
export function environmentOfTargets(names: readonly string[]): Record<string, string> {
  return { [variable]: names.join(",") };
}

/** The names of the changelings that this program's `up` is limited to; undefined: it is for all, as far as is known. */
export function targetedNames(env: NodeJS.ProcessEnv): ReadonlySet<string> | undefined {
  const names = env[variable];
  return names === undefined ? undefined : new Set(names.split(","));
}
