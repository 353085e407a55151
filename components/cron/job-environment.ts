import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import { type Changeling, isRepoUrl, scheduleInWords } from "../fleet/index.ts";
import { type Anchors, absolutePath, portablePath } from "../portable-path.ts";
import type { JobSpec } from "./local/job.ts";

/**
 * A job as the environment of its Command: field by field, in words, because this is what a preview shows. What is
 * not set is undefined, which the engine leaves out: a preview says `+ TEMPLATE` when it comes.
 */
export const jobEnvironment = z.object({
  NAME: z.string(),
  INSTALLATION: z.string(),
  ENABLED: z.enum(["yes", "no"]),
  SCHEDULE: z.string(),
  /** The schedule in words; for people, not read. */
  WHEN: z.string(),
  TIMEZONE: z.string(),
  /** A URL, or a portable path. */
  REPO: z.string(),
  BRANCH: z.string(),
  AGENT_TYPE: z.string(),
  /** The stock definition's fingerprint: a new prompt or script is a change of the job. */
  AGENT_DEFINITION: z.optional(z.string()),
  /** What mngr is told to make, and whether it ends by itself (`command`) or has to settle (`conversation`). */
  MNGR_TYPE: z.string(),
  AGENT_ENDS: z.enum(["command", "conversation"]),
  AGENT_ARGS: z.optional(z.string()),
  MESSAGE: z.optional(z.string()),
  TEMPLATE: z.optional(z.string()),
  BUILD_ARGS: z.optional(z.string()),
  ENV: z.optional(z.string()),
  TIMEOUT_SECONDS: z.string(),
  SETTLE_SECONDS: z.string(),
  KEEP_RUNS: z.string(),
  OVERLAP: z.enum(["skip", "queue"]),
  CATCH_UP: z.enum(["yes", "no"]),
  MNGR_PROFILE: z.optional(z.string()),
  /** The name that it had: what is installed under it is removed first, so that it never fires as both. */
  RENAMED_FROM: z.optional(z.string()),
});

export type JobEnvironment = z.infer<typeof jobEnvironment>;

/** What a job is made of beside its declaration. */
export interface JobContext {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  readonly stock: StockChangeling | undefined;
  readonly anchors: Anchors;
}

export function environmentOfJob(changeling: Changeling, context: JobContext): JobEnvironment {
  const list = (values: readonly string[]) => (values.length > 0 ? JSON.stringify(values) : undefined);
  return {
    NAME: changeling.name,
    INSTALLATION: context.installation,
    ENABLED: yes(changeling.enabled),
    SCHEDULE: changeling.schedule,
    WHEN: scheduleInWords(changeling.schedule),
    TIMEZONE: changeling.timezone,
    REPO: isRepoUrl(changeling.repo) ? changeling.repo : portablePath(changeling.repo, context.anchors),
    BRANCH: changeling.branch,
    AGENT_TYPE: changeling.agentType,
    AGENT_DEFINITION: context.stock?.fingerprint,
    MNGR_TYPE: context.stock?.parentType ?? changeling.agentType,
    AGENT_ENDS: changeling.isConversational ? "conversation" : "command",
    AGENT_ARGS: list(changeling.agentArgs),
    MESSAGE: changeling.initialMessage,
    TEMPLATE: changeling.template,
    BUILD_ARGS: list(changeling.buildArgs),
    ENV: Object.keys(changeling.env).length > 0 ? JSON.stringify(changeling.env) : undefined,
    TIMEOUT_SECONDS: String(changeling.timeoutSeconds),
    SETTLE_SECONDS: String(changeling.settleSeconds),
    KEEP_RUNS: String(changeling.keepRuns),
    OVERLAP: changeling.overlap,
    CATCH_UP: yes(changeling.catchUp),
    MNGR_PROFILE: context.mngrProfile,
    RENAMED_FROM: changeling.renamedFrom,
  };
}

/** The inverse, where the job is installed: paths are this machine's, a stock definition's texts are filled in. */
export function jobOfEnvironment(
  from: JobEnvironment,
  context: { stock: StockChangeling | undefined; anchors: Anchors },
): JobSpec {
  const { stock } = context;
  const message = from.MESSAGE ?? stock?.message;
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
    agent: {
      type: from.AGENT_TYPE,
      mngrType: from.MNGR_TYPE,
      isConversational: from.AGENT_ENDS === "conversation",
      script: stock?.script,
      settings: stock === undefined ? undefined : [...stock.settings],
      args: strings(from.AGENT_ARGS, stock?.args ?? []),
      message,
      template: from.TEMPLATE,
      buildArgs: strings(from.BUILD_ARGS, []),
      env: from.ENV === undefined ? {} : z.record(z.string(), z.string()).parse(JSON.parse(from.ENV)),
    },
    mngrProfile: from.MNGR_PROFILE,
  };
}

function yes(value: boolean): "yes" | "no" {
  return value ? "yes" : "no";
}

function strings(json: string | undefined, fallback: readonly string[]): string[] {
  return json === undefined ? [...fallback] : z.array(z.string()).parse(JSON.parse(json));
}
