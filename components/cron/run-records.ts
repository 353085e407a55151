/** Run records: what happened, as people and scripts read it. Shared by both providers and the CLI. */

export type Outcome = "succeeded" | "no_changes" | "failed" | "timed_out" | "skipped";

/** Why a run was fired. `due` is the schedule's time (ISO 8601, UTC) that it stands for. */
export type Cause =
  | { readonly kind: "schedule"; readonly due: string }
  | { readonly kind: "catch_up"; readonly due: string }
  | { readonly kind: "manual" };

export interface Commit {
  readonly hash: string;
  readonly subject: string;
}

/** A branch, and how many of a run's commits it holds. */
export interface HeldCommits {
  readonly name: string;
  readonly commits: number;
}

/** One run, folded from its record lines. Times are ISO 8601, UTC. */
export interface Run {
  /** `<changeling>-<YYYY-MM-DD-HH-MM-SS>` (UTC): the agent's name too. */
  readonly id: string;
  readonly changeling: string;
  readonly cause: Cause;
  readonly firedAt: string;
  /** How long it waited for other runs before that; undefined: not at all. */
  readonly waitedSeconds?: number | undefined;
  readonly endedAt: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly agentId: string | undefined;
  /** `changelings/<id>`; undefined for a run that was skipped. */
  readonly branch: string | undefined;
  /** Repository the branch is in: an absolute path; on Modal an https URL. */
  readonly repo: string | undefined;
  readonly commits: readonly Commit[];
  /** Where its commits are, when that is not its `branch` alone; on Modal the remote's branches. */
  readonly branches: readonly HeldCommits[];
  /** What a person should see beside the outcome: uncommitted files, a base branch that was moved. In words. */
  readonly warnings: readonly string[];
  /** Undefined while it runs. */
  readonly outcome: Outcome | undefined;
  /** In words, for every outcome but a plain success. */
  readonly reason: string | undefined;
}
