import { allowedEnvironment } from "../lib/environment.ts";

/** What Modal's clients are told by the person's environment, beside the token. None of it is secret. */
const settings: readonly string[] = [
  ...["MODAL_SERVER_URL", "MODAL_CONFIG_PATH", "MODAL_PROFILE", "MODAL_DISABLE_API_PROXY"],
  ...["MODAL_IMAGE_BUILDER_VERSION", "MODAL_FORCE_BUILD", "MODAL_IGNORE_CACHE", "MODAL_MAX_THROTTLE_WAIT"],
];

/** The `CHANGELINGS_` ones are the stack's own token, which a Command may be given as a secret input. */
const tokens: readonly string[] = [
  ...["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET"],
];

/** Whether a script that talks to Modal needs to see a variable of whoever runs `pulumi up`. */
export function isModalVariable(name: string): boolean {
  return settings.includes(name) || tokens.includes(name);
}

/** The environment of the `modal` command, without a token: what mngr gets, and Modal's own settings. */
export function modalEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = settings.flatMap((name) => {
    const value = env[name];
    return value ? [[name, value] as const] : [];
  });
  return { ...allowedEnvironment(env), ...Object.fromEntries(own) };
}
