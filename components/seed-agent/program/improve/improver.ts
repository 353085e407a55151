import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { Change, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import type { Fence } from "../hot-reload/version-host.ts";
import type { Live, Signal } from "../live/live.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";

/**
 * Improves the agent: it makes a task from the goal and the problems that the service noticed, asks the model, and submits
 * the answer as a change. Only the leader among the nodes does so on a schedule.
 */
export interface Improver {
  /** Starts to propose changes every `SEED_IMPROVE_SECONDS`, unless the mode is `off`. */
  start(): void;
  /** Stops, and ends the model's process. */
  stop(): Promise<void>;
  /**
   * Makes one proposal now, within the budgets. A person asked for it, so it works in mode `off`, too, and for a reason that
   * was tried before.
   *
   * @param goal instead of the goal file's text
   * @param by who asked, for the audit log: `owner`
   */
  improveNow(goal: string | undefined, by: string): Promise<Improvement>;
  /** Why the agent can't be improved at present, for `/health/deep`; undefined if it can. */
  lastProblem(): string | undefined;
  /** The limits of the present day (UTC), and how much of them is spent. */
  budget(): Promise<Budget>;
  /** The mode that applies, and the reason if it is less than `SEED_MODE`. */
  readonly mode: { readonly name: Settings["SEED_MODE"]; readonly reason?: string };
}

/**
 * - `submitted`: `change` is in the queue
 * - `nothing`: there was no reason for a change, or the model saw none
 * - `busy`: a change is unfinished, the service is paused, or another proposal is being written
 * - `over budget`: the budget of the day or of the proposal is spent
 * - `missing_api_key`: the model has no credential
 * - `failed`: the model failed, or its answer could not be used
 */
export type ImprovementOutcome = "submitted" | "nothing" | "busy" | "over budget" | "missing_api_key" | "failed";

export interface Improvement {
  readonly outcome: ImprovementOutcome;
  readonly reason: string;
  /** The last change that was submitted. With `failed`, it was rejected. */
  readonly change?: Change;
}

export interface Budget {
  readonly changesToday: number;
  readonly changesPerDay: number;
  readonly usdToday: number;
  readonly usdPerDay: number;
}

/** The parts of the service that the improver uses. */
export interface ImproverParts {
  readonly node: string;
  readonly settings: Settings;
  readonly store: Store;
  readonly pipeline: Pick<Pipeline, "submit">;
  readonly live: Pick<Live, "signals">;
  readonly events: Events;
  readonly fence: Fence;
  readonly model: LanguageModelV4;
  /** The version that the fleet runs, with its sources. May be `v0`. */
  active(): Promise<Version>;
  /**
   * Runs the active version's `plan.ts`. Called only if there is one.
   *
   * @returns the task, or undefined if nothing is worth a change now
   * @throws HostError; then the improver uses `defaultPlan`
   */
  plan(situation: Situation): Promise<string | undefined>;
}

/** The same as in `seed.d.ts`. */
export interface Situation {
  readonly goal: string;
  readonly signals: readonly Signal[];
  readonly history: readonly { readonly summary: string; readonly outcome: string }[];
}
