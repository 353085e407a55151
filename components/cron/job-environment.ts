import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import {
  type EnvironmentOf,
  environmentCodec,
  optionalText,
  text,
  type ValuesOf,
  yesNo,
} from "../command-environment.ts";
import { isRepoUrl } from "../git/repo-name.ts";
import { type Anchors, absolutePath, portablePath } from "../lib/portable-path.ts";
import { agentOf, agentValues, agentVariables } from "./agent-environment.ts";
import type { DeclaredCron } from "./declared.ts";
import { catchUpWithinDefault, type JobSpec } from "./local/job.ts";

const jobVariables = {
  ...agentVariables,
  installation: ["INSTALLATION", text],
  /** A URL, or a portable path. */
  repo: ["REPO", text],
  overlap: ["OVERLAP", z.enum(["skip", "queue"])],
  catchUp: ["CATCH_UP", yesNo],
  /** Omitted for the default. */
  catchUpWithinSeconds: [
    "CATCH_UP_WITHIN_SECONDS",
    z.codec(optionalText, z.optional(z.number()), {
      decode: (seconds) => (seconds === undefined ? undefined : Number(seconds)),
      encode: (seconds) => (seconds === undefined || seconds === catchUpWithinDefault ? undefined : String(seconds)),
    }),
  ],
  /** Omitted if the base branch is fetched before each run. */
  fetch: [
    "FETCH",
    z.codec(z.optional(z.literal("no")), z.optional(z.boolean()), {
      decode: (no) => (no === undefined ? undefined : false),
      encode: (fetch) => (fetch === false ? "no" : undefined),
    }),
  ],
  mngrProfile: ["MNGR_PROFILE", optionalText],
} as const;

/** Encodes a local scheduler's job as the environment of its Command. */
export const jobEnvironment = environmentCodec(jobVariables);

export type JobEnvironment = EnvironmentOf<typeof jobVariables>;

/** What a job needs besides its declaration. */
export interface JobContext {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  readonly stock: StockChangeling | undefined;
  readonly anchors: Anchors;
}

export function environmentOfJob(changeling: DeclaredCron, context: JobContext): JobEnvironment {
  const { repo } = changeling;
  return jobEnvironment.encode({
    ...changeling,
    ...agentValues(changeling, context.stock),
    installation: context.installation,
    repo: isRepoUrl(repo) ? repo : portablePath(repo, context.anchors),
    mngrProfile: context.mngrProfile,
  });
}

/**
 * The job that was installed according to the stack's state.
 *
 * @param stated the environment of its Command in the state
 * @param declared the environment that this program declares
 * @param installed the installed job: a repository below the project may belong to another checkout
 * @returns undefined if another release of this program installed it, which a preview shows as changes
 */
export function statedJob(
  stated: Readonly<Record<string, unknown>> | undefined,
  { declared, installed, context }: { declared: JobEnvironment; installed: JobSpec; context: JobContext },
): JobSpec | undefined {
  const { data } = jobEnvironment.schema.safeParse(stated);
  if (data === undefined) return undefined;
  if (data.definition !== declared.AGENT_DEFINITION || data.agentType !== declared.AGENT_TYPE) return undefined;
  const { repo } = data;
  const below = repo.startsWith(".") ? repo.slice(1) : undefined;
  const isElsewhere = below !== undefined && installed.repo.endsWith(below);
  const project = isElsewhere ? installed.repo.slice(0, installed.repo.length - below.length) : context.anchors.project;
  return jobOf(data, { stock: context.stock, anchors: { ...context.anchors, project } });
}

/** The job as installed: with this machine's paths and the texts of its stock definition filled in. */
export function jobOf(
  from: ValuesOf<typeof jobVariables>,
  { stock, anchors }: { stock: StockChangeling | undefined; anchors: Anchors },
): JobSpec {
  const { name, enabled, schedule, timezone, catchUp, overlap, timeoutSeconds, settleSeconds, keepRuns, repo } = from;
  return {
    ...{ name, enabled, schedule, timezone, catchUp, overlap, timeoutSeconds, settleSeconds, keepRuns },
    repo: isRepoUrl(repo) ? repo : absolutePath(repo, anchors),
    branch: from.branch,
    // Omitted unless declared, so that jobs from before this option stay unchanged.
    ...(from.fetch === undefined ? {} : { fetch: from.fetch }),
    ...(from.catchUpWithinSeconds === undefined ? {} : { catchUpWithinSeconds: from.catchUpWithinSeconds }),
    agent: agentOf(from, stock),
    mngrProfile: from.mngrProfile,
  };
}
