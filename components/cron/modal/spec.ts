import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { canonicalJson } from "../../lib/json.ts";

/** What the deployed function of a changeling needs, the whole of it but the secrets: a file in its image, and in the stack's home volume. */
export const appSpec = z.object({
  version: z.literal(1),
  stack: z.string(),
  name: z.string(),
  /** Modal environment, mngr's: the function, its volumes and its agents' sandboxes stand in it. */
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
  /** Where in the home volume the snapshot's id stands, for `snapshot`. */
  snapshotLabel: z.nullable(z.string()),
  agent: z.object({
    /** The declared type, for labels and people. */
    type: z.string(),
    /** The type that mngr is given: the declared one, or the parent of a stock one. */
    mngrType: z.string(),
    /** True for a claude-based type: it never ends by itself, it settles. */
    isConversational: z.boolean(),
    /** True when its command runs in our wrapper, and so leaves its exit status. */
    leavesExitStatus: z.boolean(),
    /** Shell script (POSIX sh) that a stock command agent runs. */
    script: z.nullable(z.string()),
    args: z.array(z.string()),
    message: z.nullable(z.string()),
    template: z.nullable(z.string()),
    buildArgs: z.array(z.string()),
    /** Settings of mngr's for this run alone, each the value of a `--setting`. */
    settings: z.array(z.string()),
    env: z.record(z.string(), z.string()),
  }),
  /** Names of the variables in its Modal Secret; empty: it has none. */
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

/** Where the stack's home volume has the spec of a deployed changeling. */
export function specFile(name: string): string {
  return `apps/${name}.json`;
}

/** The deployment's tag on Modal: 16 hex digits of the spec's digest, so that an app that was redeployed by hand shows. */
export function tagOf(spec: AppSpec): string {
  return createHash("sha256").update(canonicalJson(spec)).digest("hex").slice(0, 16);
}
