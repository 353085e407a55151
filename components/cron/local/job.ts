import { createHash } from "node:crypto";
import { z } from "zod/mini";
import { canonicalJson } from "../../lib/json.ts";

/** What the scheduler needs to run one changeling: the whole of it, so that it reads nothing else but the secrets. */
export const jobSpec = z.strictObject({
  name: z.string(),
  enabled: z.boolean(),
  schedule: z.string(),
  timezone: z.string(),
  catchUp: z.boolean(),
  /** A due time is not fired later than this; undefined: the default. */
  catchUpWithinSeconds: z.optional(z.number()),
  overlap: z.enum(["skip", "queue"]),
  timeoutSeconds: z.number(),
  settleSeconds: z.number(),
  keepRuns: z.number(),
  /** Absolute path or git URL. */
  repo: z.string(),
  branch: z.string(),
  /** False: the repository is taken as it is; undefined: its base branch is fetched before each run. */
  fetch: z.optional(z.boolean()),
  agent: z.strictObject({
    /** The declared type, for labels and people. */
    type: z.string(),
    /** The type that mngr is given: the declared one, or the parent of a stock one. */
    mngrType: z.string(),
    /** True for a claude-based type: it never ends by itself, it settles. */
    isConversational: z.boolean(),
    /** Shell script (POSIX sh) that a stock command agent runs; undefined for all others. */
    script: z.optional(z.string()),
    args: z.array(z.string()),
    message: z.optional(z.string()),
    template: z.optional(z.string()),
    buildArgs: z.array(z.string()),
    /** Settings of mngr's for this run alone, each the value of a `--setting`. */
    settings: z.optional(z.array(z.string())),
    env: z.record(z.string(), z.string()),
  }),
  /** The mngr profile that puts its agents aside; undefined: the person's own. */
  mngrProfile: z.optional(z.string()),
});

/** The default of `catch_up_within`, in seconds. */
export const catchUpWithinDefault = 86_400;

export type JobSpec = z.infer<typeof jobSpec>;

export const jobFile = z.strictObject({
  version: z.literal(1),
  /** sha256 of the canonical JSON of `spec`: a file edited by hand no longer matches it. */
  digest: z.string(),
  spec: jobSpec,
});

export type JobFile = z.infer<typeof jobFile>;

export function digestOf(spec: JobSpec): string {
  return createHash("sha256").update(canonicalJson(spec)).digest("hex");
}
