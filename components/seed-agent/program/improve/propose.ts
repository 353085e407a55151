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
  /** The limit of the model's time. The time of checks does not count. */
  readonly deadline: AbortSignal;
  readonly signal: AbortSignal;
  /** Called with each answer of the model. */
  readonly onAnswer: () => void;
}

/** What a proposal has spent and submitted so far, also if it fails later. */
export interface Progress {
  usd: number;
  hasSubmitted: boolean;
  /** The last change that was submitted. */
  change?: Change;
  rounds: number;
}

/**
 * Asks the model for a change and submits it. If that fails, asks once more, with the problems.
 *
 * @throws errors of the model and of the store
 */
export async function propose(about: Proposing, progress: Progress): Promise<Pick<Improvement, "outcome" | "reason">> {
  const { model, prompt, reservation, budget, redact, signal, deadline } = about;
  const texts = [prompt.text];
  for (;;) {
    progress.rounds += 1;
    const before = progress.usd;
    const text = await ask(model, {
      ...{ system: prompt.system, texts, maxUsd: reservation.usd - progress.usd },
      signal: AbortSignal.any([signal, deadline]),
      onCost: (usd) => {
        progress.usd += usd;
      },
    });
    about.onAnswer();
    const proposal = proposalOf(text);
    if (!isProblem(proposal) && Object.keys(proposal.files).length === 0)
      return { outcome: "nothing", reason: `the model sees no change that is worth it: ${proposal.summary}` };
    if (!isProblem(proposal) && progress.hasSubmitted && !(await budget.reserveChange()))
      return { outcome: "over budget", reason: "no change is left today for a repaired one" };
    const problems = isProblem(proposal) ? proposal : await submit(about, proposal, progress, progress.usd - before);
    if (problems.length === 0) {
      const { id, state, summary } = progress.change ?? { id: "the change", state: "queued", summary: "" };
      return { outcome: "submitted", reason: `${id} is ${state}: ${summary}` };
    }
    const words = problems.slice(0, 3).join("; ");
    if (progress.rounds === 2) return { outcome: "failed", reason: `the repaired answer failed too: ${words}` };
    if (reservation.usd - progress.usd <= 0)
      return { outcome: "over budget", reason: `no money is left to repair it: ${words}` };
    texts.push(isProblem(proposal) ? text.slice(0, 50_000) : answerOf(proposal), redact(repairPrompt(problems)));
  }
}

/** Submits a proposal, and waits for its checks. @returns its problems; empty if it has passed, or the checks go on */
async function submit(
  about: Proposing,
  proposal: Proposal,
  progress: Progress,
  usd: number,
): Promise<readonly string[]> {
  const { pipeline, model, version, prompt, activation } = about;
  const { summary, answers, files } = proposal;
  try {
    progress.change = await pipeline.submit(
      { summary, answers, files, base: version.id },
      { author: `model:${model.modelId}`, activation, promptHash: prompt.hash, costUsd: usd },
    );
  } catch (error) {
    if (error instanceof Conflict) return [error.message];
    throw error;
  }
  progress.hasSubmitted = true;
  progress.change = await checked(progress.change, about);
  const { state, report } = progress.change;
  return state === "rejected" && report?.passed === false ? diagnosticsOf(report) : [];
}

/** Waits for the end of a change's checks, or until they take too long. @returns the change as it is then */
async function checked({ id }: Change, { store, settings, signal }: Proposing): Promise<Change> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout((5 * settings.SEED_TEST_SECONDS + 120) * 1000)]);
  for (;;) {
    const change = await store.change(id);
    if (change === undefined) throw new Error(`the change ${id} is gone`);
    if ((change.state !== "queued" && change.state !== "checking") || limit.aborted) return change;
    await nextNotification(store, limit);
  }
}

/** Waits until something changes in the store, for at most a second, because a notification may be missed. */
async function nextNotification(store: Proposing["store"], signal: AbortSignal): Promise<void> {
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
