import type { Change, Version } from "../domain.ts";
import { Conflict } from "../pipeline/pipeline.ts";
import { type Proposal, proposalOf } from "./answer.ts";
import { ask } from "./ask.ts";
import type { DayBudget, Reservation } from "./budget.ts";
import type { Improvement, ImproverParts } from "./improver.ts";
import { answerOf, diagnosticsOf, type Prompt, repairPrompt } from "./prompt.ts";

export interface Proposing extends Pick<ImproverParts, "store" | "pipeline" | "settings" | "model"> {
  readonly version: Version;
  readonly prompt: Prompt;
  readonly reservation: Reservation;
  readonly activation: Change["activation"];
  readonly budget: DayBudget;
  readonly redact: (text: string) => string;
  /** Of the model's time, without that of checks. */
  readonly deadline: AbortSignal;
  readonly signal: AbortSignal;
  /** Called with each answer of the model. */
  readonly onAnswer: () => void;
}

/** What a proposal has done, also if it failed in between. */
export interface Done {
  usd: number;
  hasSubmitted: boolean;
  /** The last one. */
  change?: Change;
  rounds: number;
}

/**
 * Asks the model for a change, submits it, and once more with what is wrong with it.
 *
 * @throws what the model and the store throw
 */
export async function propose(about: Proposing, done: Done): Promise<Pick<Improvement, "outcome" | "reason">> {
  const { model, prompt, reservation, budget, redact, signal, deadline } = about;
  const texts = [prompt.text];
  for (;;) {
    done.rounds += 1;
    const before = done.usd;
    const text = await ask(model, {
      ...{ system: prompt.system, texts, maxUsd: reservation.usd - done.usd },
      signal: AbortSignal.any([signal, deadline]),
      onCost: (usd) => {
        done.usd += usd;
      },
    });
    about.onAnswer();
    const proposal = proposalOf(text);
    if (!isProblem(proposal) && Object.keys(proposal.files).length === 0)
      return { outcome: "nothing", reason: `the model sees no change that is worth it: ${proposal.summary}` };
    if (!isProblem(proposal) && done.hasSubmitted && !(await budget.reserveChange()))
      return { outcome: "over budget", reason: "no change is left today for a repaired one" };
    const problems = isProblem(proposal) ? proposal : await tried(about, proposal, done, done.usd - before);
    if (problems.length === 0) {
      const { id, state, summary } = done.change ?? { id: "the change", state: "queued", summary: "" };
      return { outcome: "submitted", reason: `${id} is ${state}: ${summary}` };
    }
    const words = problems.slice(0, 3).join("; ");
    if (done.rounds === 2) return { outcome: "failed", reason: `the repaired answer failed too: ${words}` };
    if (reservation.usd - done.usd <= 0)
      return { outcome: "over budget", reason: `no money is left to repair it: ${words}` };
    texts.push(isProblem(proposal) ? text.slice(0, 50_000) : answerOf(proposal), redact(repairPrompt(problems)));
  }
}

/** Submits, and waits for the checks. @returns what is wrong with the proposal, in words; none if it passed so far */
async function tried(about: Proposing, proposal: Proposal, done: Done, usd: number): Promise<readonly string[]> {
  const { pipeline, model, version, prompt, activation } = about;
  const { summary, answers, files } = proposal;
  try {
    done.change = await pipeline.submit(
      { summary, answers, files, base: version.id },
      { author: `model:${model.modelId}`, activation, promptHash: prompt.hash, costUsd: usd },
    );
  } catch (error) {
    if (error instanceof Conflict) return [error.message];
    throw error;
  }
  done.hasSubmitted = true;
  done.change = await checked(done.change, about);
  const { state, report } = done.change;
  return state === "rejected" && report?.passed === false ? diagnosticsOf(report) : [];
}

/** Waits for the checks of a change, within reason. @returns it as it is then */
async function checked({ id }: Change, { store, settings, signal }: Proposing): Promise<Change> {
  const most = AbortSignal.any([signal, AbortSignal.timeout((5 * settings.SEED_TEST_SECONDS + 120) * 1000)]);
  for (;;) {
    const change = await store.change(id);
    if (change === undefined) throw new Error(`the change ${id} is gone`);
    if ((change.state !== "queued" && change.state !== "checking") || most.aborted) return change;
    await news(store, most);
  }
}

/** Until something changed in the store; at most a second, for what is missed. */
async function news(store: Proposing["store"], signal: AbortSignal): Promise<void> {
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

function isProblem(proposal: ReturnType<typeof proposalOf>): proposal is readonly string[] {
  return Array.isArray(proposal);
}
