import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { Change, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import type { Fence } from "../hot-reload/version-host.ts";
import type { Live, Signal } from "../live/live.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";

/**
 * Improves the agent: what the service noticed and the goal become a task, the model's answer to it becomes a change in
 * the queue. Of all nodes only the leader proposes by itself.
 */
export interface Improver {
  /** Proposes every `SEED_IMPROVE_SECONDS`, unless the mode is `off`. */
  start(): void;
  /** Ends the model's process, too. */
  stop(): Promise<void>;
  /**
   * One proposal now, within the budgets. Also in mode `off` and with signals that are known already: a person asked.
   *
   * @param goal instead of the goal file's text
   * @param by who asked, for the audit log: `owner`
   */
  improveNow(goal: string | undefined, by: string): Promise<Improvement>;
  /** Why it can't improve the agent now, in words, for `/health/deep`; undefined if it can. */
  lastProblem(): string | undefined;
  /** What was spent in the present day (UTC). */
  budget(): Promise<Budget>;
  /** The mode as it applies, and why that is less than `SEED_MODE`, in words. */
  readonly mode: { readonly name: Settings["SEED_MODE"]; readonly reason?: string };
}

/**
 * - `submitted`: `change` is in the queue
 * - `nothing`: there was no reason for a change, or the model saw none
 * - `busy`: a change is under way, the service is paused, or another proposal is being written
 * - `over budget`: of the day, or of the proposal
 * - `missing_api_key`: the model has no credential
 * - `failed`: the model, or its answer
 */
export type ImprovementOutcome = "submitted" | "nothing" | "busy" | "over budget" | "missing_api_key" | "failed";

export interface Improvement {
  readonly outcome: ImprovementOutcome;
  /** In words. */
  readonly reason: string;
  /** The last one that was submitted; with `failed`, it was rejected. */
  readonly change?: Change;
}

export interface Budget {
  readonly changesToday: number;
  readonly changesPerDay: number;
  readonly usdToday: number;
  readonly usdPerDay: number;
}

/** What the improver works with. */
export interface ImproverParts {
  readonly node: string;
  readonly settings: Settings;
  readonly store: Store;
  readonly pipeline: Pick<Pipeline, "submit">;
  readonly live: Pick<Live, "signals">;
  readonly events: Events;
  readonly fence: Fence;
  readonly model: LanguageModelV4;
  /** The version that the fleet runs, with its sources; `v0` too. */
  active(): Promise<Version>;
  /**
   * Called only if the active version has a `plan.ts`: the task, or undefined if nothing is worth a change now.
   *
   * @throws HostError; then the improver plans by itself
   */
  plan(situation: Situation): Promise<string | undefined>;
}

/** As `seed.d.ts` has it. */
export interface Situation {
  readonly goal: string;
  readonly signals: readonly Signal[];
  readonly history: readonly { readonly summary: string; readonly outcome: string }[];
}
