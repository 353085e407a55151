import { readFile } from "node:fs/promises";
import { messageOf } from "../../../lib/as-error.ts";
import { isMissingApiKey, isOverBudget } from "../../../models/errors.ts";
import { type Change, changeStates, endStates, type Version } from "../domain.ts";
import { redaction, secretsOf } from "../events/redaction.ts";
import { seedTypes } from "../hot-reload/index.ts";
import { AttemptedReasons, reasonHash } from "./attempted-reasons.ts";
import { type DayBudget, dayOf, type Reservation } from "./budget.ts";
import type { Improvement, Improver, ImproverParts, Situation } from "./improver.ts";
import { defaultPlan } from "./plan.ts";
import { type Prompt, promptOf } from "./prompt.ts";
import { type Progress, propose } from "./propose.ts";

export interface ProposalRequest {
  /** Instead of the goal of the settings. */
  readonly goal?: string;
  /** Who asked, for the audit log. */
  readonly by: string;
  /** A person asked, so a reason that was tried before is tried again. */
  readonly isAsked: boolean;
}

/** How many former changes the model sees. */
const historyLength = 10;
const missingKeyDay = "improve.missing_api_key";

/** Makes one proposal: finds a reason and a task, reserves the budget, asks the model, and submits its answer. */
export class Proposer {
  readonly #parts: ImproverParts;
  readonly #mode: Improver["mode"];
  readonly #budget: DayBudget;
  readonly #attempted: AttemptedReasons;
  readonly #redact: (text: string) => string;
  #modelProblem: string | undefined;
  #goalProblem: string | undefined;
  /** The last reason why nothing was proposed, so that the audit log contains it once. */
  #lastReason: string | undefined;

  constructor(parts: ImproverParts, mode: Improver["mode"], budget: DayBudget) {
    this.#parts = parts;
    this.#mode = mode;
    this.#budget = budget;
    this.#attempted = new AttemptedReasons(parts.store);
    this.#redact = redaction(secretsOf(parts.settings));
  }

  get problem(): string | undefined {
    return this.#goalProblem ?? this.#modelProblem;
  }

  async run(request: ProposalRequest, signal: AbortSignal): Promise<Improvement> {
    const improvement = await this.#improve(request, signal);
    const { outcome, reason, change } = improvement;
    if (change === undefined && (request.isAsked || this.#lastReason !== reason))
      await this.#audit(request.by, "not proposed", reason, { outcome });
    this.#lastReason = change === undefined ? reason : undefined;
    return improvement;
  }

  async #improve(request: ProposalRequest, signal: AbortSignal): Promise<Improvement> {
    const { store, live } = this.#parts;
    const obstacle = await this.#obstacle();
    if (obstacle !== undefined) return { outcome: "busy", reason: obstacle };
    const version = await this.#parts.active();
    const goal = request.goal ?? (await this.#goal());
    const signals = live.signals();
    const hash = reasonHash({ version: version.id, goal, signals });
    const until = request.isAsked ? undefined : await this.#attempted.until(hash);
    if (until !== undefined)
      return { outcome: "nothing", reason: `it was tried already: not again before ${new Date(until).toISOString()}` };
    const changes = await store.changes({ limit: historyLength });
    const situation = { goal, signals: [...signals, ...changes.flatMap(setback)], history: changes.map(historyOf) };
    const task = await this.#task(version, situation);
    if (task === undefined)
      return { outcome: "nothing", reason: "nothing failed, and there is no goal that asks for a change now" };
    const prompt = await this.#prompt(version, situation, task);
    const reservation = await this.#budget.reserve();
    if (typeof reservation === "string") return { outcome: "over budget", reason: reservation };
    const improvement = await this.#propose({ request, version, task, prompt, reservation }, signal);
    const { outcome, change } = improvement;
    if (change !== undefined || outcome === "nothing") await this.#attempted.remember(hash);
    else if (outcome !== "missing_api_key" && !signal.aborted)
      await this.#attempted.remember(hash, this.#parts.settings.SEED_IMPROVE_SECONDS * 1000);
    return improvement;
  }

  async #obstacle(): Promise<string | undefined> {
    const { store } = this.#parts;
    if ((await store.setting("paused")) === "true") return "the service is paused";
    const states = changeStates.filter((state) => !endStates.includes(state));
    const [change] = await store.changes({ states, limit: 1 });
    return change === undefined ? undefined : `the change ${change.id} is ${change.state}`;
  }

  async #goal(): Promise<string> {
    const { SEED_GOAL, SEED_GOAL_FILE } = this.#parts.settings;
    if (SEED_GOAL !== undefined || SEED_GOAL_FILE === undefined) return SEED_GOAL ?? "";
    this.#goalProblem = undefined;
    try {
      return await readFile(SEED_GOAL_FILE, "utf8");
    } catch (error) {
      this.#goalProblem = `SEED_GOAL_FILE can't be read: ${this.#messageOf(error)}`;
      throw new Error(this.#goalProblem);
    }
  }

  async #task(version: Version, situation: Situation): Promise<string | undefined> {
    if (!Object.hasOwn(version.sources, "plan.ts")) return defaultPlan(situation);
    try {
      return await this.#parts.plan(situation);
    } catch (error) {
      this.#parts.events.log("warn", "plan.ts failed, so the default plan is used", { reason: this.#messageOf(error) });
      return defaultPlan(situation);
    }
  }

  /** Before anything is reserved, because the store may fail. */
  async #prompt(version: Version, situation: Situation, task: string): Promise<Prompt> {
    const recordings = (await this.#parts.store.recordings(100)).filter(
      (recording) => recording.version === version.id,
    );
    return promptOf({ task, situation, version, recordings, types: await seedTypes(), redact: this.#redact });
  }

  async #propose(proposal: Proposal, signal: AbortSignal): Promise<Improvement> {
    const { store, pipeline, model, settings } = this.#parts;
    const { request, version, task, prompt, reservation } = proposal;
    const deadline = AbortSignal.timeout(settings.SEED_MODEL_SECONDS * 1000);
    const progress: Progress = { usd: 0, hasSubmitted: false, rounds: 0 };
    const end = await propose(
      {
        ...{ store, pipeline, settings, model, version, prompt, reservation, deadline, signal },
        ...{ budget: this.#budget, redact: this.#redact },
        activation: this.#mode.name === "auto" ? "by itself" : "by a person",
        onAnswer: () => {
          this.#modelProblem = undefined;
        },
      },
      progress,
    ).catch((error: unknown) => this.#failed(error, deadline, signal));
    await this.#budget.settle(reservation, progress);
    const { change, rounds, usd } = progress;
    const data = {
      ...{ task: this.#redact(task).slice(0, 4000), outcome: end.outcome, rounds, by: request.by, base: version.id },
      ...{ promptHash: prompt.hash, model: model.modelId, provider: model.provider, costUsd: usd },
    };
    await this.#audit(`model:${model.modelId}`, "asked", `${end.outcome}: ${end.reason}`, data, change?.id);
    return { ...end, ...(change === undefined ? {} : { change }) };
  }

  async #failed(error: unknown, deadline: AbortSignal, signal: AbortSignal): Promise<Omit<Improvement, "change">> {
    if (isMissingApiKey(error)) return { outcome: "missing_api_key", reason: await this.#escalate(error) };
    if (signal.aborted) return { outcome: "failed", reason: "it was interrupted" };
    if (isOverBudget(error)) return { outcome: "over budget", reason: this.#messageOf(error) };
    const seconds = this.#parts.settings.SEED_MODEL_SECONDS;
    const reason = deadline.aborted
      ? `the model took longer than ${seconds} seconds (SEED_MODEL_SECONDS)`
      : this.#messageOf(error);
    this.#modelProblem = `the model can't be asked: ${reason}`;
    return { outcome: "failed", reason };
  }

  /** Reports a missing credential as a metric and a log line, and once a day in the audit log. @returns the reason */
  async #escalate(error: unknown): Promise<string> {
    const { store, events, settings } = this.#parts;
    const reason = this.#messageOf(error);
    this.#modelProblem = reason;
    events.missingApiKey(settings.SEED_MODEL, reason);
    const today = dayOf(await store.now());
    const before = await store.setting(missingKeyDay);
    if (before !== today && (await store.setSetting(missingKeyDay, today, before)))
      await this.#audit("system", "missing_api_key", reason, { model: settings.SEED_MODEL });
    return reason;
  }

  async #audit(
    actor: string,
    action: string,
    detail: string,
    data: Readonly<Record<string, unknown>>,
    change?: string,
  ): Promise<void> {
    const { store, events, node } = this.#parts;
    events.decision(actor, action);
    const about = change === undefined ? {} : { change };
    await store.audit({ node, actor, action, ...about, detail: this.#redact(detail).slice(0, 4000), data });
  }

  #messageOf(error: unknown): string {
    return this.#redact(messageOf(error));
  }
}

interface Proposal {
  readonly request: ProposalRequest;
  readonly version: Version;
  readonly task: string;
  readonly prompt: Prompt;
  readonly reservation: Reservation;
}

function historyOf({ summary, state, reason }: Change): Situation["history"][number] {
  return { summary, outcome: reason === undefined ? state : `${state}: ${reason}` };
}

/** A change that failed is a problem that the model should know. */
function setback({ state, id, summary, reason }: Change): Situation["signals"] {
  if (state !== "rejected" && state !== "rolled-back") return [];
  return [{ kind: state, summary: `${id} (${summary}): ${reason ?? state}`, count: 1 }];
}
