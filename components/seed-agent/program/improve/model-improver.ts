import { messageOf } from "../../../lib/as-error.ts";
import { redaction, secretsOf } from "../events/redaction.ts";
import { DayBudget } from "./budget.ts";
import type { Budget, Improvement, Improver, ImproverParts } from "./improver.ts";
import { type ProposalRequest, Proposer } from "./proposer.ts";

export function improver(parts: ImproverParts): Improver {
  return new ModelImprover(parts);
}

/** Makes proposals on a schedule and on request: one at a time, and only while this node leads. */
class ModelImprover implements Improver {
  readonly mode: Improver["mode"];
  readonly #parts: ImproverParts;
  readonly #budget: DayBudget;
  readonly #proposer: Proposer;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<Improvement> | undefined;

  constructor(parts: ImproverParts) {
    const { settings, store, fence } = parts;
    this.#parts = parts;
    this.mode = modeOf(settings.SEED_MODE, fence);
    this.#budget = new DayBudget(store, settings);
    this.#proposer = new Proposer(parts, this.mode, this.#budget);
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
    return this.#proposer.problem;
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

  async #once(request: ProposalRequest): Promise<Improvement> {
    if (this.#running !== undefined) return { outcome: "busy", reason: "another proposal is being written" };
    this.#running = this.#lead(request);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Never rejects. */
  async #lead(request: ProposalRequest): Promise<Improvement> {
    try {
      const improvement = await this.#parts.store.leading("improve", (leading) =>
        this.#proposer.run(request, AbortSignal.any([leading, this.#stop.signal])),
      );
      return improvement ?? { outcome: "busy", reason: "another node is writing a proposal" };
    } catch (error) {
      const reason = redaction(secretsOf(this.#parts.settings))(messageOf(error));
      this.#parts.events.log("error", "no improvement", { reason });
      return { outcome: "failed", reason };
    }
  }
}

function modeOf(wanted: Improver["mode"]["name"], fence: ImproverParts["fence"]): Improver["mode"] {
  if (wanted !== "auto" || fence.name === "bubblewrap") return { name: wanted };
  const why = fence.reason === undefined ? "" : `: ${fence.reason}`;
  return { name: "propose", reason: `auto needs versions to be confined by bubblewrap${why}` };
}
