import { homedir } from "node:os";
import { join } from "node:path";
import { stringify } from "smol-toml";
import * as z from "zod/mini";
import { readText, readToml } from "../host/read-toml.ts";
import { environmentName } from "./names.ts";

/** The user's mngr identity on this machine. */
export interface PersonIdentity {
  /** undefined if none was created yet. */
  readonly userId: string | undefined;
  /** The prefix of the user id in the name of mngr's environment on Modal, for instance `mngr-`. */
  readonly prefix: string;
  readonly hostDir: string;
  /** undefined if mngr never ran here. */
  readonly profile: string | undefined;
  /** The profile's folder. */
  readonly profileDir: string | undefined;
}

export interface IdentityOptions {
  /** The fleet's `mngr_profile`: it has its own host dir, and shares the user's profiles. */
  readonly profile?: string | undefined;
}

/** mngr's own files: unexpected values are ignored, because mngr reports them itself. */
const rootConfig = z.catch(z.object({ profile: z.catch(z.optional(z.string()), undefined) }), {});
const settingsFile = z.object({
  prefix: z.catch(z.optional(z.string()), undefined),
  agent_types: z.catch(z.record(z.string(), z.unknown()), {}),
  create_templates: z.catch(z.record(z.string(), z.unknown()), {}),
  providers: z.catch(z.object({ modal: z.catch(z.record(z.string(), z.unknown()), {}) }), { modal: {} }),
});
const providerUserId = z.catch(z.object({ user_id: z.optional(z.string()) }), {});

/** Settings of mngr's Modal provider that belong to one machine, or to the identity that the apps get anyway. */
const machineSettings = new Set(["token_id", "token_secret", "modal_profile", "user_id", "is_enabled"]);

/** Reads what mngr would find. Creates nothing. */
export function personIdentity(env: NodeJS.ProcessEnv, options: IdentityOptions = {}): PersonIdentity {
  const rootName = env["MNGR_ROOT_NAME"] || "mngr";
  const own = env["MNGR_HOST_DIR"] || join(env["HOME"] || homedir(), `.${rootName}`);
  const profile = options.profile ?? activeProfile(own);
  const profileDir = profile === undefined ? undefined : join(own, "profiles", profile);
  const settings = settingsOf(profileDir);
  const minted = profileDir === undefined ? undefined : readText(join(profileDir, "user_id"))?.trim();
  return {
    userId: providerUserId.parse(settings.providers.modal).user_id || minted || env["MNGR_USER_ID"] || undefined,
    prefix: env["MNGR_PREFIX"] || (settings.prefix ?? `${rootName}-`),
    hostDir: options.profile === undefined ? own : `${own}-${options.profile}`,
    profile,
    profileDir,
  };
}

/** @returns undefined if mngr never ran with this host dir */
export function activeProfile(hostDir: string): string | undefined {
  return rootConfig.parse(readToml(join(hostDir, "config.toml"))).profile || undefined;
}

/** The name of the user's environment on Modal; undefined until a user id is created. */
export function personEnvironment({ userId, prefix }: PersonIdentity): string | undefined {
  return userId === undefined ? undefined : environmentName({ prefix, userId });
}

/**
 * The user's mngr settings that an app's mngr needs too, as TOML; "" if there are none. The defaults of new agents
 * (`commands.create`) are omitted, because a run sets all of them itself.
 */
export function portableSettings({ profileDir }: PersonIdentity): string {
  const settings = settingsOf(profileDir);
  const modal = Object.entries(settings.providers.modal).filter(([name]) => !machineSettings.has(name));
  const kept = {
    agent_types: settings.agent_types,
    create_templates: settings.create_templates,
    providers: modal.length === 0 ? {} : { modal: Object.fromEntries(modal) },
  };
  const filled = Object.entries(kept).filter(([, section]) => Object.keys(section).length > 0);
  return filled.length === 0 ? "" : stringify(Object.fromEntries(filled));
}

function settingsOf(profileDir: string | undefined): z.infer<typeof settingsFile> {
  const settings = profileDir === undefined ? undefined : readToml(join(profileDir, "settings.toml"));
  return settingsFile.parse(settings ?? {});
}

/** `stack.json` on the home volume: the stack's identity on Modal, for its whole life and from every machine. */
const schema = z.object({
  version: z.literal(1),
  stack: z.string(),
  /** mngr's user id, which together with the prefix names the environment. */
  userId: z.string(),
  prefix: z.string(),
  environment: z.string(),
  /** The fleet's mngr_profile: where machines keep this identity. */
  mngrProfile: z.optional(z.string()),
  /** The committer of agents; missing if no machine has set it. */
  gitName: z.optional(z.string()),
  gitEmail: z.optional(z.string()),
});

export type StackIdentity = z.infer<typeof schema>;

export const stackIdentityFile = "stack.json";

/** @throws if it is not such a file */
export function parseStackIdentity(json: string): StackIdentity {
  const parsed = schema.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${stackIdentityFile} on the stack's volume is not valid: ${issue?.path.join(".")}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
