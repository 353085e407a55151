/**
 * The commands that error messages and pages recommend. Which ones work depends on how the user started the program: a
 * clone has no `changeling` on PATH, and a plain `pulumi up` doesn't reach the embedded default. The CLI and the
 * launcher pass the right ones in these variables.
 */
export const commandVariables: ReadonlySet<string> = new Set(["CHANGELINGS_UP", "CHANGELINGS_CLI"]);

/** The command that applies the fleet file, for instance `npm start`. */
export function upCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env["CHANGELINGS_UP"] || "pulumi up";
}

/** The prefix of a `changeling` command, for instance `npm run changeling --`. */
export function changelingCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env["CHANGELINGS_CLI"] || "changeling";
}

/** How to set a secret, as an imperative. The embedded default reads secrets from the environment alone. */
export function secretRemedy(variable: string, env: NodeJS.ProcessEnv = process.env): string {
  const up = upCommand(env);
  const exported = `export it where you run: ${up}`;
  if (!/\bup\b/.test(up)) return exported;
  return `${exported}; or: ${up.replace(/\bup\b/, `config set --secret changelings:${variable}`)}`;
}

/** The variables that are set, for a child process with its own environment. */
export function commandEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    [...commandVariables].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
