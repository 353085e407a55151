import * as z from "zod/mini";

/** Run records: what happened, for people and scripts. Shared by both providers and the CLI. */

/** How the reason of a run begins that had no valid key: until that is repaired, the next one fails too. */
export const rejectedKey = "the model's API rejects its key";

export type Outcome = "succeeded" | "no_changes" | "failed" | "timed_out" | "skipped";

/** Why a run was fired. `due` is the due time it covers (ISO 8601, UTC). */
export type Cause =
  | { readonly kind: "schedule"; readonly due: string }
  | { readonly kind: "catch_up"; readonly due: string }
  | { readonly kind: "manual" };

export interface Commit {
  readonly hash: string;
  readonly subject: string;
}

/** A branch, and how many of a run's commits it contains. */
export interface HeldCommits {
  readonly name: string;
  readonly commits: number;
}

/** One run, folded from its record lines. Times are ISO 8601, UTC. */
export interface Run {
  /** `<changeling>-<YYYY-MM-DD-HH-MM-SS>` (UTC); also the agent's name. */
  readonly id: string;
  readonly changeling: string;
  readonly cause: Cause;
  readonly firedAt: string;
  /** How long it waited for other runs first; undefined if it did not wait. */
  readonly waitedSeconds?: number | undefined;
  readonly endedAt: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly agentId: string | undefined;
  /** `changelings/<id>`; undefined for a skipped run. */
  readonly branch: string | undefined;
  /** The branch's repository: an absolute path; on Modal an https URL. */
  readonly repo: string | undefined;
  readonly commits: readonly Commit[];
  /** Where its commits are, if not only on its `branch`; on Modal the remote's branches. */
  readonly branches: readonly HeldCommits[];
  /** What a person should see besides the outcome, in words: uncommitted files, a base branch that moved. */
  readonly warnings: readonly string[];
  /** Undefined while it runs. */
  readonly outcome: Outcome | undefined;
  /** In words, for every outcome but a plain success. */
  readonly reason: string | undefined;
}

/** One line of a changeling's records: an event of one of its runs. Times are ISO 8601, UTC. */

const cause = z.union([
  z.object({ kind: z.literal("schedule"), due: z.string() }),
  z.object({ kind: z.literal("catch_up"), due: z.string() }),
  z.object({ kind: z.literal("manual") }),
]);

const common = { at: z.string(), changeling: z.string() };

const recordLine = z.union([
  z.object({
    ...common,
    event: z.literal("fired"),
    id: z.string(),
    cause,
    branch: z.string(),
    /** An absolute path; on Modal the URL that the sandbox clones. */
    repo: z.string(),
    /** The id its agent will have, on this machine: until `ended`, that agent may exist. */
    agentId: z.optional(z.string()),
    /** How long it waited for other runs to end before it was fired. */
    waitedSeconds: z.optional(z.number()),
    /** The request that caused it, so that the same request never starts a second run. */
    request: z.optional(z.string()),
  }),
  z.object({
    ...common,
    event: z.literal("created"),
    id: z.string(),
    agentId: z.string(),
    /** The commit its branch was created from; on Modal only the sandbox knows it, and records it at the end. */
    base: z.optional(z.string()),
    /** Absolute path, on this machine. */
    worktree: z.optional(z.string()),
  }),
  z.object({
    ...common,
    event: z.literal("ended"),
    id: z.string(),
    outcome: z.enum(["succeeded", "no_changes", "failed", "timed_out"]),
    reason: z.optional(z.string()),
    commits: z.array(z.object({ hash: z.string(), subject: z.string() })),
    /** Absent if they are on the run's own branch. */
    branches: z.optional(z.array(z.object({ name: z.string(), commits: z.number() }))),
    warnings: z.optional(z.array(z.string())),
    /** On Modal, the commit its branch was created from. */
    base: z.optional(z.string()),
  }),
  z.object({
    ...common,
    event: z.literal("skipped"),
    id: z.string(),
    cause,
    reason: z.string(),
    request: z.optional(z.string()),
  }),
  /**
   * It waits for the running one to end (`overlap = "queue"`), or for a free slot (`max_runs_at_once`). `fired` or
   * `skipped` with the same cause follows.
   */
  z.object({ ...common, event: z.literal("queued"), cause }),
  /** Its stopped agent, which had been kept, was destroyed. */
  z.object({ ...common, event: z.literal("destroyed"), id: z.string() }),
]);

export type RecordLine = z.infer<typeof recordLine>;

/** @returns undefined if the line is not a record */
export function parseLine(line: string): RecordLine | undefined {
  try {
    const parsed = recordLine.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** A run with the fields that the schedulers need. */
export interface RecordedRun extends Run {
  /** Id of the request that caused it. */
  readonly request: string | undefined;
  /** The id its agent has once created; undefined for runs on Modal and for older runs. */
  readonly intendedAgentId: string | undefined;
  /** When its agent was created; the timeout counts from here. */
  readonly createdAt: string | undefined;
  /** The commit its branch was created from. */
  readonly base: string | undefined;
  /** Absolute path of its worktree. */
  readonly worktree: string | undefined;
  /** False once its agent was destroyed. */
  readonly agentIsKept: boolean;
}

/** In the order in which they were fired. */
export function foldRuns(lines: readonly RecordLine[]): RecordedRun[] {
  const runs = new Map<string, RecordedRun>();
  for (const line of lines) {
    if (line.event === "queued") continue;
    const run = runs.get(line.id);
    if (line.event === "fired" || line.event === "skipped") runs.set(line.id, begun(line));
    else if (run !== undefined) runs.set(line.id, advanced(run, line));
  }
  return [...runs.values()];
}

function begun(line: Extract<RecordLine, { event: "fired" | "skipped" }>): RecordedRun {
  const isSkipped = line.event === "skipped";
  return {
    id: line.id,
    changeling: line.changeling,
    cause: line.cause,
    firedAt: line.at,
    ...(isSkipped || line.waitedSeconds === undefined ? {} : { waitedSeconds: line.waitedSeconds }),
    endedAt: isSkipped ? line.at : undefined,
    durationSeconds: isSkipped ? 0 : undefined,
    agentId: undefined,
    branch: isSkipped ? undefined : line.branch,
    repo: isSkipped ? undefined : line.repo,
    commits: [],
    branches: [],
    warnings: [],
    outcome: isSkipped ? "skipped" : undefined,
    reason: isSkipped ? line.reason : undefined,
    request: line.request,
    intendedAgentId: isSkipped ? undefined : line.agentId,
    createdAt: undefined,
    base: undefined,
    worktree: undefined,
    agentIsKept: false,
  };
}

function advanced(
  run: RecordedRun,
  line: Extract<RecordLine, { event: "created" | "ended" | "destroyed" }>,
): RecordedRun {
  if (line.event === "destroyed") return { ...run, agentIsKept: false };
  if (line.event === "created") {
    const { at: createdAt, agentId, base, worktree } = line;
    return { ...run, createdAt, agentId, base, worktree, agentIsKept: true };
  }
  const { at, commits, branches = [], warnings = [], base = run.base, outcome, reason } = line;
  const durationSeconds = (Date.parse(at) - Date.parse(run.firedAt)) / 1000;
  return { ...run, endedAt: at, durationSeconds, commits, branches, warnings, base, outcome, reason };
}

/** The same runs, the most recently fired first. */
export function newestFirst<Recorded extends Run>(runs: readonly Recorded[]): Recorded[] {
  return [...runs].sort((a, b) => compare(b.firedAt, a.firedAt) || compare(b.id, a.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
