import type { Recording, Report, ReportStep, Sources, Version } from "../domain.ts";
import type { Fence, HostLimits } from "./version-host.ts";

export interface Candidate {
  /** The base's sources with the change's files applied. */
  readonly sources: Sources;
  readonly base: Pick<Version, "id" | "sources" | "bundle" | "testBundle">;
  readonly answers: "same" | "may differ";
  /** Recorded requests to the base. Answers with a status of 500 or more need not stay the same. */
  readonly recordings: readonly Recording[];
}

export interface CheckOptions {
  readonly limits: HostLimits;
  /** The limit of all tests together. */
  readonly testMilliseconds: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: ReportStep) => void;
}

export interface Checked {
  readonly report: Report;
  /** Only if all steps passed. */
  readonly built?: { readonly hash: string; readonly bundle: string; readonly testBundle?: string };
}

/**
 * Checks a change in seven steps: parse, import allowlist, type check, compile, its own tests, the base version's tests, and
 * a replay of recorded requests. The code runs behind a fence, and the results of the base version's tests and of the replay
 * are determined outside of processes that run it.
 */
export type Check = (candidate: Candidate, options: CheckOptions) => Promise<Checked>;

/** Finds the fence that works on this machine. */
export type FindFence = (wanted: "auto" | "bubblewrap" | "permission") => Promise<Fence>;
