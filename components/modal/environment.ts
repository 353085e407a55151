import { allowedEnvironment } from "../lib/environment.ts";

/** Settings of Modal's clients in the user's environment, except for the token. None of them is secret. */
const settings: readonly string[] = [
  ...["MODAL_SERVER_URL", "MODAL_CONFIG_PATH", "MODAL_PROFILE", "MODAL_DISABLE_API_PROXY"],
  ...["MODAL_IMAGE_BUILDER_VERSION", "MODAL_FORCE_BUILD", "MODAL_IGNORE_CACHE", "MODAL_MAX_THROTTLE_WAIT"],
];

/** The `CHANGELINGS_` variables are the stack's own token, which a Command may get as a secret input. */
const tokens: readonly string[] = [
  ...["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET"],
];

/** Whether a script that uses Modal needs this variable of the user who runs `pulumi up`. */
export function isModalVariable(name: string): boolean {
  return settings.includes(name) || tokens.includes(name);
}

/** The environment of the `modal` command, without a token: mngr's variables, and Modal's own settings. */
export function modalEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = settings.flatMap((name) => {
    const value = env[name];
    return value ? [[name, value] as const] : [];
  });
  return { ...allowedEnvironment(env), ...Object.fromEntries(own) };
}
