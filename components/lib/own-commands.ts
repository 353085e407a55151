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

/**
 * The command that changes the stack's settings, or "" for the embedded default, whose settings are `npm start`'s own.
 *
 * @param setting for instance `changelings:timezone Europe/Berlin`
 */
export function settingCommand(setting: string, env: NodeJS.ProcessEnv = process.env): string {
  const up = upCommand(env);
  return /\bup\b/.test(up) ? up.replace(/\bup\b/, `config set ${setting}`) : "";
}

/** `settingCommand` after these words, as the alternative to what a remedy already says; or "". */
export function orSetting(setting: string, or = ", or: ", env: NodeJS.ProcessEnv = process.env): string {
  const command = settingCommand(setting, env);
  return command === "" ? "" : `${or}${command}`;
}

/** How to set a secret, as an imperative. The embedded default reads secrets from the environment alone. */
export function secretRemedy(variable: string, env: NodeJS.ProcessEnv = process.env): string {
  return `export it where you run: ${upCommand(env)}${orSetting(`--secret changelings:${variable}`, "; or: ", env)}`;
}

/** The variables that are set, for a child process with its own environment. */
export function commandEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    [...commandVariables].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
