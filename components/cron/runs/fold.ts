import type { Run } from "../run-records.ts";
import type { RecordLine } from "./record-line.ts";

/** A run with what those who perform it need to know of it. */
export interface RecordedRun extends Run {
  /** Id of the request that asked for it. */
  readonly request: string | undefined;
  /** The id that its agent has from the moment there is one; undefined for runs on Modal, and for older ones. */
  readonly intendedAgentId: string | undefined;
  /** When its agent was there: its time counts from here. */
  readonly createdAt: string | undefined;
  /** Its branch was made from this commit. */
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

/** The same runs, those that were fired last first. */
export function newestFirst<Recorded extends Run>(runs: readonly Recorded[]): Recorded[] {
  return [...runs].sort((a, b) => compare(b.firedAt, a.firedAt) || compare(b.id, a.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
