import * as z from "zod/mini";
import { digestOfJson } from "../../lib/json.ts";

/**
 * Everything a changeling's deployed function needs except the secrets; stored in its image and in the stack's home
 * volume.
 */
export const appSpec = z.object({
  version: z.literal(1),
  stack: z.string(),
  name: z.string(),
  /** The Modal environment that mngr uses; contains the function, its volumes and its agents' sandboxes. */
  environment: z.string(),
  userId: z.string(),
  prefix: z.string(),
  schedule: z.string(),
  timezone: z.string(),
  enabled: z.boolean(),
  timeoutSeconds: z.number(),
  settleSeconds: z.number(),
  keepRuns: z.number(),
  /** https URL without credentials. */
  repo: z.string(),
  branch: z.string(),
  image: z.enum(["clone", "snapshot", "pinned", "custom"]),
  /** The commit that `pinned` runs start from. */
  commit: z.nullable(z.string()),
  /** For `snapshot`: the label under which the home volume stores the snapshot's id. */
  snapshotLabel: z.nullable(z.string()),
  agent: z.object({
    /** The declared type, for labels and people. */
    type: z.string(),
    /** The type passed to mngr: the declared type, or the parent of a stock type. */
    mngrType: z.string(),
    /** True for claude-based types: they never exit by themselves; they settle. */
    isConversational: z.boolean(),
    /** True if its command runs in our wrapper, which records its exit status. */
    leavesExitStatus: z.boolean(),
    /** Shell script (POSIX sh) that a stock command agent runs. */
    script: z.nullable(z.string()),
    args: z.array(z.string()),
    message: z.nullable(z.string()),
    template: z.nullable(z.string()),
    buildArgs: z.array(z.string()),
    /** mngr settings for this run only, each the value of a `--setting`. */
    settings: z.array(z.string()),
    env: z.record(z.string(), z.string()),
  }),
  /** Names of the variables in its Modal Secret; empty if it has none. */
  secrets: z.array(z.string()),
  secretName: z.string(),
  stackSecretName: z.string(),
  homeVolume: z.string(),
  runsVolume: z.string(),
  appName: z.string(),
  /** Fingerprint of the program that is deployed with it. */
  program: z.string(),
});

export type AppSpec = z.infer<typeof appSpec>;

/** Path of a deployed changeling's spec in the stack's home volume. */
export function specFile(name: string): string {
  return `apps/${name}.json`;
}

/** The deployment's tag on Modal: 16 hex digits of the spec's digest, so that a manual redeployment is detected. */
export function tagOf(spec: AppSpec): string {
  return digestOfJson(spec).slice(0, 16);
}
