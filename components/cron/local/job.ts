import { z } from "zod/mini";
import { digestOfJson } from "../../lib/json.ts";

/** Everything the scheduler needs to run one changeling; it reads nothing else but the secrets. */
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
  /** False: the repository is used as it is. Undefined: its base branch is fetched before each run. */
  fetch: z.optional(z.boolean()),
  agent: z.strictObject({
    /** The declared type, for labels and people. */
    type: z.string(),
    /** The type passed to mngr: the declared type, or the parent of a stock type. */
    mngrType: z.string(),
    /** True for claude-based types: they never exit by themselves; they settle. */
    isConversational: z.boolean(),
    /** Shell script (POSIX sh) that a stock command agent runs; undefined for all others. */
    script: z.optional(z.string()),
    args: z.array(z.string()),
    message: z.optional(z.string()),
    template: z.optional(z.string()),
    buildArgs: z.array(z.string()),
    /** mngr settings for this run only, each the value of a `--setting`. */
    settings: z.optional(z.array(z.string())),
    env: z.record(z.string(), z.string()),
  }),
  /** The mngr profile that separates its agents; undefined: the user's own. */
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
  return digestOfJson(spec);
}
