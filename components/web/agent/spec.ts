import * as z from "zod/mini";
import { digestOfJson } from "../../lib/json.ts";

/** A path to copy into a changeling's repo. */
const addedPath = z.strictObject({
  /** Absolute. */
  from: z.string(),
  /** Relative to the repo. */
  to: z.string(),
});

/** The inputs of a web agent. `pulumi up` applies them, and a failed update rolls back to the previous ones. */
export const webSpec = z.strictObject({
  /** The changeling's name, which is also mngr's name of the agent. */
  name: z.string(),
  /** Its description in the fleet file. */
  description: z.optional(z.string()),
  provider: z.enum(["local", "docker", "modal"]),
  enabled: z.boolean(),
  /** Git URL or absolute path; undefined if made from scratch. */
  source: z.optional(z.string()),
  branch: z.string(),
  /** The source's commit in its repo, 40 hex digits; undefined if unknown, or if there is no source. */
  commit: z.optional(z.string()),
  /** undefined: the source's create template `entrypoint` decides. */
  agentType: z.optional(z.string()),
  /** The fingerprint of a stock agent type's files. */
  definition: z.optional(z.string()),
  addPaths: z.array(addedPath),
  /** The fingerprint of what `addPaths` copies. */
  added: z.optional(z.string()),
  env: z.record(z.string(), z.string()),
  /** Names of the secrets that it gets. */
  secrets: z.array(z.string()),
  /** Absolute path, or a volume's name; undefined for the default. */
  data: z.optional(z.string()),
  destroyData: z.boolean(),
  /** Git remote that its commits are pushed to. */
  remote: z.optional(z.string()),
  memoryInGit: z.boolean(),
  /** The text of `.changelings/settings.toml`. */
  settings: z.optional(z.string()),
  startTimeoutSeconds: z.number(),
  agentArgs: z.array(z.string()),
  buildArgs: z.array(z.string()),
  /** The mngr profile that the agent runs in; undefined for the user's own. */
  mngrProfile: z.optional(z.string()),
});

export type WebSpec = z.infer<typeof webSpec>;

/**
 * The agent's label `changeling_digest`: 16 hex digits. It changes with every input that the agent is started with, but
 * not with settings that only `pulumi up` uses.
 */
export function digestOfSpec(spec: WebSpec): string {
  const { description, enabled, destroyData, startTimeoutSeconds, remote, ...started } = spec;
  return digestOfJson(started).slice(0, 16);
}
