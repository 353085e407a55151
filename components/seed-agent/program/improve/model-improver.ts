import { readFile } from "node:fs/promises";
import { isMissingApiKey, isOverBudget } from "../../../models/errors.ts";
import { type Change, changeStates, endStates, type Version } from "../domain.ts";
import { redaction, secretsOf } from "../events/redaction.ts";
import { seedTypes } from "../hot-reload/index.ts";
import { Conflict } from "../pipeline/pipeline.ts";
import { type Proposal, proposalOf } from "./answer.ts";
import { ask } from "./ask.ts";
import { DayBudget, dayOf, type Reservation } from "./budget.ts";
import type { Budget, Improvement, ImprovementOutcome, Improver, ImproverParts, Situation } from "./improver.ts";
import { defaultPlan } from "./plan.ts";
import { answerOf, diagnosticsOf, type Prompt, promptOf, repairPrompt } from "./prompt.ts";
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
    return this.#problem;
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
    const { outcome } = improvement;
    if (outcome === "submitted" || outcome === "nothing") await this.#tried.remember(hash);
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
    try {
      return await readFile(SEED_GOAL_FILE, "utf8");
    } catch (error) {
      this.#problem = `SEED_GOAL_FILE can't be read: ${this.#words(error)}`;
      throw new Error(this.#problem);
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
    const { store, model, settings } = this.#parts;
    const { version, situation, task, reservation } = about;
    const recordings = (await store.recordings(100)).filter((recording) => recording.version === version.id);
    const types = await seedTypes();
    const prompt = promptOf({ task, situation, version, recordings, types, redact: this.#redact });
    const texts = [prompt.text];
    const spent = { usd: 0, hasSubmitted: false };
    let submitted: Change | undefined;
    const deadline = AbortSignal.timeout(settings.SEED_MODEL_SECONDS * 1000);
    const ended = (outcome: ImprovementOutcome, reason: string): Improvement => ({
      outcome: submitted === undefined ? outcome : "submitted",
      reason,
      ...(submitted === undefined ? {} : { change: submitted }),
    });
    try {
      for (let round = 1; ; round += 1) {
        const before = spent.usd;
        const text = await ask(model, {
          ...{ system: prompt.system, texts, maxUsd: reservation.usd - spent.usd },
          signal: AbortSignal.any([signal, deadline]),
          onCost: (usd) => {
            spent.usd += usd;
          },
        });
        this.#problem = undefined;
        const proposal = proposalOf(text);
        if (!isProblem(proposal) && Object.keys(proposal.files).length === 0)
          return ended("nothing", `the model sees no change that is worth it: ${proposal.summary}`);
        let problems: readonly string[];
        if (isProblem(proposal)) problems = proposal;
        else {
          if (spent.hasSubmitted && !(await this.#budget.reserveChange()))
            return ended("over budget", "no change is left today for a repaired one");
          const result = await this.#submit(proposal, { ...about, prompt, usd: spent.usd - before });
          if (typeof result === "string") problems = [result];
          else {
            spent.hasSubmitted = true;
            submitted = await this.#checked(result, signal);
            const { state, report } = submitted;
            if (state !== "rejected" || report === undefined || report.passed)
              return ended("submitted", `${submitted.id} is ${state}: ${submitted.summary}`);
            problems = diagnosticsOf(report);
          }
        }
        const words = problems.slice(0, 3).join("; ");
        if (round === 2) return ended("failed", `the repaired answer failed too: ${words}`);
        if (reservation.usd - spent.usd <= 0) return ended("over budget", `no money is left to repair it: ${words}`);
        texts.push(
          isProblem(proposal) ? text.slice(0, 50_000) : answerOf(proposal),
          this.#redact(repairPrompt(problems)),
        );
      }
    } catch (error) {
      if (isMissingApiKey(error)) return ended("missing_api_key", await this.#escalate(error));
      const reason = deadline.aborted
        ? `the model took longer than ${settings.SEED_MODEL_SECONDS} seconds (SEED_MODEL_SECONDS)`
        : this.#words(error);
      if (!signal.aborted && !isOverBudget(error)) this.#problem = `the model can't be asked: ${reason}`;
      return ended(isOverBudget(error) ? "over budget" : "failed", signal.aborted ? "it was interrupted" : reason);
    } finally {
      await this.#budget.settle(reservation, spent);
      await this.#audit(`model:${model.modelId}`, "asked", task, {
        ...{ promptHash: prompt.hash, model: model.modelId, provider: model.provider, costUsd: spent.usd },
        ...{ by: about.request.by, base: version.id, rounds: Math.ceil(texts.length / 2) },
      });
    }
  }

  /** @returns the change, or why it is none, in words */
  async #submit(
    { summary, answers, files }: Proposal,
    { version, prompt, usd }: About & { readonly prompt: Prompt; readonly usd: number },
  ): Promise<Change | string> {
    const { pipeline, model } = this.#parts;
    const submission = { summary, answers, files, base: version.id };
    try {
      return await pipeline.submit(submission, {
        author: `model:${model.modelId}`,
        activation: this.mode.name === "auto" ? "by itself" : "by a person",
        promptHash: prompt.hash,
        costUsd: usd,
      });
    } catch (error) {
      if (error instanceof Conflict) return error.message;
      throw error;
    }
  }

  /** Waits for the checks of a change, within reason. @returns it as it is then */
  async #checked({ id }: Change, signal: AbortSignal): Promise<Change> {
    const { store, settings } = this.#parts;
    const most = AbortSignal.any([signal, AbortSignal.timeout((5 * settings.SEED_TEST_SECONDS + 120) * 1000)]);
    for (;;) {
      const change = await store.change(id);
      if (change === undefined) throw new Error(`the change ${id} is gone`);
      if ((change.state !== "queued" && change.state !== "checking") || most.aborted) return change;
      await news(store, most);
    }
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

  async #audit(actor: string, action: string, detail: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    const { store, events, node } = this.#parts;
    events.decision(actor, action);
    await store.audit({ node, actor, action, detail: this.#redact(detail).slice(0, 4000), data });
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

function isProblem(proposal: ReturnType<typeof proposalOf>): proposal is readonly string[] {
  return Array.isArray(proposal);
}

function historyOf({ summary, state, reason }: Change): Situation["history"][number] {
  return { summary, outcome: reason === undefined ? state : `${state}: ${reason}` };
}

function setback({ state, id, summary, reason }: Change): Situation["signals"] {
  if (state !== "rejected" && state !== "rolled-back") return [];
  return [{ kind: state, summary: `${id} (${summary}): ${reason ?? state}`, count: 1 }];
}

/** Until something changed in the store; at most a second, for what is missed. */
async function news(store: ImproverParts["store"], signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, 1000);
    const unsubscribe = store.subscribe(end);
    signal.addEventListener("abort", end, { once: true });
  });
}
