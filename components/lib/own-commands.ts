/**
 * The commands that error messages and pages advise. Which ones work depends on how the person started us (a clone has
 * no `changeling` on PATH, and plain `pulumi up` doesn't reach the embedded default), so the CLI and the launcher hand
 * them on in these variables.
 */
export const commandVariables: ReadonlySet<string> = new Set(["CHANGELINGS_UP", "CHANGELINGS_CLI"]);

/** Applies what the fleet file declares, for instance `npm start`. */
export function upCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env["CHANGELINGS_UP"] || "pulumi up";
}

/** What stands before the name of a `changeling` command, for instance `npm run changeling --`. */
export function changelingCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env["CHANGELINGS_CLI"] || "changeling";
}

/** How a secret gets its value, as an imperative. The embedded default takes them from the environment alone. */
export function secretRemedy(variable: string, env: NodeJS.ProcessEnv = process.env): string {
  const up = upCommand(env);
  const exported = `export it where you run: ${up}`;
  if (!/\bup\b/.test(up)) return exported;
  return `${exported}; or: ${up.replace(/\bup\b/, `config set --secret changelings:${variable}`)}`;
}

/** Those of the variables that are set, for a process that is started with an environment of its own. */
export function commandEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    [...commandVariables].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
