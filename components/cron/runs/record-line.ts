import * as z from "zod/mini";

/** One line of a changeling's records: something that happened to a run of it. Times are ISO 8601, UTC. */

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
    /** The id that its agent will have, on this machine: until `ended`, such an agent may be there. */
    agentId: z.optional(z.string()),
    /** How long it waited for other runs to end before it was fired. */
    waitedSeconds: z.optional(z.number()),
    /** The request that asked for it, so that it is never answered with a second run. */
    request: z.optional(z.string()),
  }),
  z.object({
    ...common,
    event: z.literal("created"),
    id: z.string(),
    agentId: z.string(),
    /** The commit that its branch was made from; on Modal only the sandbox knows it, and records it at the end. */
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
    /** Absent: they are on the run's own branch. */
    branches: z.optional(z.array(z.object({ name: z.string(), commits: z.number() }))),
    warnings: z.optional(z.array(z.string())),
    /** The commit that its branch was made from, on Modal. */
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
   * It waits for the running one to end (`overlap = "queue"`), or for its turn (`max_runs_at_once`); `fired` or
   * `skipped` with the same cause follows.
   */
  z.object({ ...common, event: z.literal("queued"), cause }),
  /** Its agent, which was kept stopped, is gone. */
  z.object({ ...common, event: z.literal("destroyed"), id: z.string() }),
]);

export type RecordLine = z.infer<typeof recordLine>;

/** @returns undefined for what is not a record */
export function parseLine(line: string): RecordLine | undefined {
  try {
    const parsed = recordLine.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
