import type { Recording, Report, ReportStep, Sources, Version } from "../domain.ts";
import type { Fence, HostLimits } from "./version-host.ts";

export interface Candidate {
  /** The base's sources with the change's files applied. */
  readonly sources: Sources;
  readonly base: Pick<Version, "id" | "sources" | "bundle" | "testBundle">;
  readonly answers: "same" | "may differ";
  /** Answers of the base, to be given again. An answer of 500 and more need not stay the same. */
  readonly recordings: readonly Recording[];
}

export interface CheckOptions {
  readonly limits: HostLimits;
  /** Of all tests together. */
  readonly testMilliseconds: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: ReportStep) => void;
}

export interface Checked {
  readonly report: Report;
  /** Only if it passed. */
  readonly built?: { readonly hash: string; readonly bundle: string; readonly testBundle?: string };
}

/**
 * Judges a change: parse, import allowlist, type check, compile, its own tests, the present version's tests, and a replay
 * of recorded requests, each fenced in. The verdicts on the tests of the present version and on the replay are reached in
 * processes that the change's code can't write to.
 */
export type Check = (candidate: Candidate, options: CheckOptions) => Promise<Checked>;

/** Tries the fences of this machine, once. */
export type FindFence = (wanted: "auto" | "bubblewrap" | "permission") => Promise<Fence>;
