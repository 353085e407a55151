import { readFile } from "node:fs/promises";
import { isMissingApiKey, isOverBudget } from "../../../models/errors.ts";
import { type Change, changeStates, endStates, type Version } from "../domain.ts";
import { redaction, secretsOf } from "../events/redaction.ts";
import { seedTypes } from "../hot-reload/index.ts";
import { DayBudget, dayOf, type Reservation } from "./budget.ts";
import type { Budget, Improvement, Improver, ImproverParts, Situation } from "./improver.ts";
import { defaultPlan } from "./plan.ts";
import { promptOf } from "./prompt.ts";
import { type Done, propose } from "./propose.ts";
import { reasonHash, Tried } from "./tried.ts";

export function improver(parts: ImproverParts): Improver {
  return new ModelImprover(parts);
}

interface Request {
  readonly goal?: string;
  readonly by: string;
  /** By a person: also in mode `off`, and for a reason that was tried already. */
  readonly isAsked: boolean;
}

/** How many former changes the model sees. */
const historyLength = 10;

class ModelImprover implements Improver {
  readonly mode: Improver["mode"];
  readonly #parts: ImproverParts;
  readonly #budget: DayBudget;
  readonly #tried: Tried;
  readonly #redact: (text: string) => string;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<Improvement> | undefined;
  #problem: string | undefined;
  #goalProblem: string | undefined;
  /** The last reason why nothing was done, so that the audit log has it once. */
  #lastReason: string | undefined;

  constructor(parts: ImproverParts) {
    const { settings, store, fence } = parts;
    this.#parts = parts;
    this.#budget = new DayBudget(store, settings);
    this.#tried = new Tried(store);
    this.#redact = redaction(secretsOf(settings));
    this.mode = modeOf(settings.SEED_MODE, fence);
  }

  start(): void {
    if (this.mode.name !== "off" && this.#timer === undefined) this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  async improveNow(goal: string | undefined, by: string): Promise<Improvement> {
    return await this.#once({ by, isAsked: true, ...(goal === undefined ? {} : { goal }) });
  }

  lastProblem(): string | undefined {
    return this.#goalProblem ?? this.#problem;
  }

  budget(): Promise<Budget> {
    return this.#budget.read();
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.#once({ by: "system", isAsked: false });
      if (!this.#stop.signal.aborted) this.#schedule();
    }, this.#parts.settings.SEED_IMPROVE_SECONDS * 1000).unref();
  }

  async #once(request: Request): Promise<Improvement> {
    if (this.#running !== undefined) return { outcome: "busy", reason: "another proposal is being written" };
    this.#running = this.#led(request);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Never rejects. */
  async #led(request: Request): Promise<Improvement> {
    try {
      const improvement = await this.#parts.store.leading("improve", (leading) =>
        this.#improve(request, AbortSignal.any([leading, this.#stop.signal])),
      );
      return improvement ?? { outcome: "busy", reason: "another node is writing a proposal" };
    } catch (error) {
      const reason = this.#words(error);
      this.#parts.events.log("error", "no improvement", { reason });
      return { outcome: "failed", reason };
    }
  }

  async #improve(request: Request, signal: AbortSignal): Promise<Improvement> {
    const improvement = await this.#tryToImprove(request, signal);
    const { outcome, reason, change } = improvement;
    if (change === undefined && (request.isAsked || this.#lastReason !== reason))
      await this.#audit(request.by, "not proposed", reason, { outcome });
    this.#lastReason = change === undefined ? reason : undefined;
    return improvement;
  }

  async #tryToImprove(request: Request, signal: AbortSignal): Promise<Improvement> {
    const { store, live } = this.#parts;
    const obstacle = await this.#obstacle();
    if (obstacle !== undefined) return { outcome: "busy", reason: obstacle };
    const version = await this.#parts.active();
    const goal = request.goal ?? (await this.#goal());
    const signals = live.signals();
    const hash = reasonHash({ version: version.id, goal, signals });
    const until = request.isAsked ? undefined : await this.#tried.until(hash);
    if (until !== undefined)
      return { outcome: "nothing", reason: `it was tried already: not again before ${new Date(until).toISOString()}` };
    const changes = await store.changes({ limit: historyLength });
    const situation = { goal, signals: [...signals, ...changes.flatMap(setback)], history: changes.map(historyOf) };
    const task = await this.#task(version, situation);
    if (task === undefined)
      return { outcome: "nothing", reason: "nothing failed, and there is no goal that asks for a change now" };
    const reservation = await this.#budget.reserve();
    if (typeof reservation === "string") return { outcome: "over budget", reason: reservation };
    const improvement = await this.#propose({ request, version, situation, task, reservation }, signal);
    const { outcome, change } = improvement;
    if (change !== undefined || outcome === "nothing") await this.#tried.remember(hash);
    else if (outcome !== "missing_api_key" && !signal.aborted)
      await this.#tried.remember(hash, this.#parts.settings.SEED_IMPROVE_SECONDS * 1000);
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
      this.#goalProblem = `SEED_GOAL_FILE can't be read: ${this.#words(error)}`;
      throw new Error(this.#goalProblem);
    }
  }

  async #task(version: Version, situation: Situation): Promise<string | undefined> {
    if (!Object.hasOwn(version.sources, "plan.ts")) return defaultPlan(situation);
    try {
      return await this.#parts.plan(situation);
    } catch (error) {
      this.#parts.events.log("warn", "plan.ts failed: the service plans by itself", { reason: this.#words(error) });
      return defaultPlan(situation);
    }
  }

  async #propose(about: About, signal: AbortSignal): Promise<Improvement> {
    const { store, pipeline, model, settings } = this.#parts;
    const { request, version, situation, task, reservation } = about;
    const recordings = (await store.recordings(100)).filter((recording) => recording.version === version.id);
    const types = await seedTypes();
    const prompt = promptOf({ task, situation, version, recordings, types, redact: this.#redact });
    const deadline = AbortSignal.timeout(settings.SEED_MODEL_SECONDS * 1000);
    const done: Done = { usd: 0, hasSubmitted: false, rounds: 0 };
    const end = await propose(
      {
        ...{ store, pipeline, settings, model, version, prompt, reservation, deadline, signal },
        ...{ budget: this.#budget, redact: this.#redact },
        activation: this.mode.name === "auto" ? "by itself" : "by a person",
        onAnswer: () => {
          this.#problem = undefined;
        },
      },
      done,
    ).catch((error: unknown) => this.#failed(error, deadline, signal));
    await this.#budget.settle(reservation, done);
    const { change, rounds, usd } = done;
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
    if (isOverBudget(error)) return { outcome: "over budget", reason: this.#words(error) };
    const seconds = this.#parts.settings.SEED_MODEL_SECONDS;
    const reason = deadline.aborted
      ? `the model took longer than ${seconds} seconds (SEED_MODEL_SECONDS)`
      : this.#words(error);
    this.#problem = `the model can't be asked: ${reason}`;
    return { outcome: "failed", reason };
  }

  /** Once a day in the audit log; each time as a metric and a log line. @returns it in words */
  async #escalate(error: unknown): Promise<string> {
    const { store, events, settings } = this.#parts;
    const reason = this.#words(error);
    this.#problem = reason;
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

  #words(error: unknown): string {
    return this.#redact(error instanceof Error ? error.message : String(error));
  }
}

interface About {
  readonly request: Request;
  readonly version: Version;
  readonly situation: Situation;
  readonly task: string;
  readonly reservation: Reservation;
}

const missingKeyDay = "improve.missing_api_key";

function modeOf(wanted: Improver["mode"]["name"], fence: ImproverParts["fence"]): Improver["mode"] {
  if (wanted !== "auto" || fence.name === "bubblewrap") return { name: wanted };
  const why = fence.reason === undefined ? "" : `: ${fence.reason}`;
  return { name: "propose", reason: `auto needs versions to be confined by bubblewrap${why}` };
}

function historyOf({ summary, state, reason }: Change): Situation["history"][number] {
  return { summary, outcome: reason === undefined ? state : `${state}: ${reason}` };
}

function setback({ state, id, summary, reason }: Change): Situation["signals"] {
  if (state !== "rejected" && state !== "rolled-back") return [];
  return [{ kind: state, summary: `${id} (${summary}): ${reason ?? state}`, count: 1 }];
}
