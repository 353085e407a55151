import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import { type DeclaredCron, isRepoUrl } from "../fleet/index.ts";
import { type Anchors, absolutePath, portablePath } from "../portable-path.ts";
import { agentEnvironment, agentOf, environmentOfAgent, yes } from "./agent-environment.ts";
import type { JobSpec } from "./local/job.ts";

/** A job of the local scheduler as the environment of its Command. */
export const jobEnvironment = z.object({
  ...agentEnvironment,
  INSTALLATION: z.string(),
  /** A URL, or a portable path. */
  REPO: z.string(),
  OVERLAP: z.enum(["skip", "queue"]),
  CATCH_UP: z.enum(["yes", "no"]),
  /** Absent: its base branch is fetched before each run. */
  FETCH: z.optional(z.literal("no")),
  MNGR_PROFILE: z.optional(z.string()),
});

export type JobEnvironment = z.infer<typeof jobEnvironment>;

/** What a job is made of beside its declaration. */
export interface JobContext {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  readonly stock: StockChangeling | undefined;
  readonly anchors: Anchors;
}

export function environmentOfJob(changeling: DeclaredCron, context: JobContext): JobEnvironment {
  return {
    ...environmentOfAgent(changeling, context.stock),
    INSTALLATION: context.installation,
    REPO: isRepoUrl(changeling.repo) ? changeling.repo : portablePath(changeling.repo, context.anchors),
    OVERLAP: changeling.overlap,
    CATCH_UP: yes(changeling.catchUp),
    FETCH: changeling.fetch ? undefined : "no",
    MNGR_PROFILE: context.mngrProfile,
  };
}

/** The inverse, where the job is installed: paths are this machine's, a stock definition's texts are filled in. */
export function jobOfEnvironment(
  from: JobEnvironment,
  context: { stock: StockChangeling | undefined; anchors: Anchors },
): JobSpec {
  return {
    name: from.NAME,
    enabled: from.ENABLED === "yes",
    schedule: from.SCHEDULE,
    timezone: from.TIMEZONE,
    catchUp: from.CATCH_UP === "yes",
    overlap: from.OVERLAP,
    timeoutSeconds: Number(from.TIMEOUT_SECONDS),
    settleSeconds: Number(from.SETTLE_SECONDS),
    keepRuns: Number(from.KEEP_RUNS),
    repo: isRepoUrl(from.REPO) ? from.REPO : absolutePath(from.REPO, context.anchors),
    branch: from.BRANCH,
    // Nothing where nothing was declared: then a job is what it was before there was this option.
    ...(from.FETCH === "no" ? { fetch: false } : {}),
    agent: agentOf(from, context.stock),
    mngrProfile: from.MNGR_PROFILE,
  };
}
