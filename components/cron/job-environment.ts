import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import { type DeclaredCron, isRepoUrl } from "../fleet/index.ts";
import { type Anchors, absolutePath, portablePath } from "../lib/portable-path.ts";
import { agentEnvironment, agentOf, environmentOfAgent, yes } from "./agent-environment.ts";
import { catchUpWithinDefault, type JobSpec } from "./local/job.ts";

/** A job of the local scheduler as the environment of its Command. */
export const jobEnvironment = z.object({
  ...agentEnvironment,
  INSTALLATION: z.string(),
  /** A URL, or a portable path. */
  REPO: z.string(),
  OVERLAP: z.enum(["skip", "queue"]),
  CATCH_UP: z.enum(["yes", "no"]),
  /** In seconds; absent: the default. */
  CATCH_UP_WITHIN_SECONDS: z.optional(z.string()),
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
    CATCH_UP_WITHIN_SECONDS:
      changeling.catchUpWithinSeconds === catchUpWithinDefault ? undefined : String(changeling.catchUpWithinSeconds),
    FETCH: changeling.fetch ? undefined : "no",
    MNGR_PROFILE: context.mngrProfile,
  };
}

/**
 * The job that the stack's state says was installed.
 *
 * @param stated the environment of its Command in the state
 * @param declared the same as this program declares it
 * @param installed what is installed: a repository below the project may have come from another checkout
 * @returns undefined when another release of this program installed it, which a preview shows as changes
 */
export function statedJob(
  stated: Readonly<Record<string, unknown>> | undefined,
  { declared, installed, context }: { declared: JobEnvironment; installed: JobSpec; context: JobContext },
): JobSpec | undefined {
  const parsed = z.safeParse(jobEnvironment, stated);
  if (!parsed.success || parsed.data.AGENT_DEFINITION !== declared.AGENT_DEFINITION) return undefined;
  const { REPO: repo, AGENT_TYPE: type } = parsed.data;
  if (type !== declared.AGENT_TYPE) return undefined;
  const below = repo.startsWith(".") ? repo.slice(1) : undefined;
  const isElsewhere = below !== undefined && installed.repo.endsWith(below);
  const project = isElsewhere ? installed.repo.slice(0, installed.repo.length - below.length) : context.anchors.project;
  return jobOfEnvironment(parsed.data, { stock: context.stock, anchors: { ...context.anchors, project } });
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
    ...(from.CATCH_UP_WITHIN_SECONDS === undefined
      ? {}
      : { catchUpWithinSeconds: Number(from.CATCH_UP_WITHIN_SECONDS) }),
    agent: agentOf(from, context.stock),
    mngrProfile: from.MNGR_PROFILE,
  };
}
