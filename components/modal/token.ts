import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { readToml } from "../host/read-toml.ts";
import { ModalError } from "./modal-error.ts";

/** A user's credentials on Modal. */
export interface ModalToken {
  readonly id: string;
  readonly secret: string;
}

/** What to do without a token, on a laptop and in a pipeline. */
export const noTokenRemedy =
  "get one with: modal token new; or create one at https://modal.com/settings/tokens and set MODAL_TOKEN_ID and " +
  "MODAL_TOKEN_SECRET (in a pipeline: as its secrets)";

/** Modal's own file: unexpected sections are ignored. */
const configFile = z.record(
  z.string(),
  z.catch(
    z.looseObject({
      token_id: z.optional(z.string()),
      token_secret: z.optional(z.string()),
      active: z.optional(z.boolean()),
    }),
    {},
  ),
);

/**
 * The token of the current user: from the environment, else the stack's, else from Modal's own file.
 *
 * @param env also says where that file is (MODAL_CONFIG_PATH, HOME) and which profile applies (MODAL_PROFILE)
 * @param stackToken the value of `pulumi config set --secret changelings:MODAL_TOKEN_ID`, and of its SECRET
 * @throws ModalError if only half of a token is set: Modal's clients don't treat that as no token
 */
export function modalToken(env: NodeJS.ProcessEnv, stackToken?: ModalToken): ModalToken | undefined {
  return tokenOf(env, "MODAL_") ?? stackToken ?? tokenOf(env, "CHANGELINGS_MODAL_") ?? tokenOfFile(env);
}

function tokenOf(env: NodeJS.ProcessEnv, prefix: string): ModalToken | undefined {
  const names = [`${prefix}TOKEN_ID`, `${prefix}TOKEN_SECRET`] as const;
  const [id, secret] = [env[names[0]], env[names[1]]];
  if (id && secret) return { id, secret };
  if (!id && !secret) return undefined;
  const [set, unset] = id ? names : [names[1], names[0]];
  throw new ModalError("no_token", `${set} is set, but ${unset} is not`, `set both, or none`);
}

function tokenOfFile(env: NodeJS.ProcessEnv): ModalToken | undefined {
  const profiles = configFile.safeParse(readToml(env["MODAL_CONFIG_PATH"] || defaultFile(env))).data;
  if (profiles === undefined) return undefined;
  const active = Object.keys(profiles).find((name) => profiles[name]?.active === true);
  const profile = profiles[env["MODAL_PROFILE"] || (active ?? "default")];
  const { token_id: id, token_secret: secret } = profile ?? {};
  return id && secret ? { id, secret } : undefined;
}

function defaultFile(env: NodeJS.ProcessEnv): string {
  return join(env["HOME"] || homedir(), ".modal.toml");
}
