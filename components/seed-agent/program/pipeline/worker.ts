import { messageOf } from "../../../lib/as-error.ts";
import type { Change } from "../domain.ts";
import { StoreUnavailable } from "../store/store.ts";
import { ChangeWork } from "./change-work.ts";
import type { PipelineParts } from "./parts.ts";

/** How long a claim is valid without renewal, in seconds. */
const leaseSeconds = 30;
/** How often the queue is read without a notification, in ms. */
const pollMs = 2000;
/** A change whose worker failed this often is given up. */
const maxAttempts = 5;
/** Claims changes from the queue and works on them, one at a time. */
export class PipelineWorker {
  readonly #parts: PipelineParts;
  readonly #changes: ChangeWork;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** When it last reported that it is alive, as `performance.now()`. */
  lastBeat: number | undefined;
  #running: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#changes = new ChangeWork(parts);
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#unsubscribe = this.#parts.store.subscribe(() => this.wake());
    this.#running = this.#run();
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#unsubscribe?.();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.lastBeat = performance.now();
      const worked = await this.#next().catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          this.#parts.events.log("error", "the queue's worker failed", { reason: String(error) });
        return false;
      });
      if (!worked && !signal.aborted) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#isWoken = false;
  }

  /** @returns whether there was something to do */
  async #next(): Promise<boolean> {
    const { store, node } = this.#parts;
    if ((await store.setting("paused")) === "true") return false;
    const change = await store.claim(node, leaseSeconds);
    if (change === undefined) return false;
    const claim = new AbortController();
    const signal = AbortSignal.any([claim.signal, this.#stop.signal]);
    const renewal = setInterval(
      async () => {
        this.lastBeat = performance.now();
        const isKept = await store.renewClaim(change.id, node, leaseSeconds).catch(() => true);
        if (!isKept) claim.abort();
      },
      (leaseSeconds * 1000) / 3,
    );
    try {
      await this.#work(change, signal);
    } catch (error) {
      if (signal.aborted) return true;
      if (!(error instanceof StoreUnavailable)) await this.#note(change, messageOf(error));
      throw error;
    } finally {
      clearInterval(renewal);
      // Another node need not wait for the end of the lease.
      if (this.#stop.signal.aborted) await store.renewClaim(change.id, node, 0).catch(() => undefined);
    }
    return true;
  }

  /** Records why an attempt failed. After the last one, it becomes the change's reason. */
  async #note(change: Change, reason: string): Promise<void> {
    const { store, node } = this.#parts;
    await store.updateChange(change.id, [change.state], { claimedBy: node, reason }).catch(() => undefined);
  }

  async #work(change: Change, signal: AbortSignal): Promise<void> {
    if (change.attempts > maxAttempts) {
      const why = change.reason ?? `its worker ended while it was ${change.state}`;
      await this.#changes.end(change, "failed", `given up after ${maxAttempts} attempts: ${why}`);
    } else if (change.state === "checking") await this.#changes.check(change, signal);
    else await this.#rollOut(change, signal);
  }

  async #rollOut(change: Change, signal: AbortSignal): Promise<void> {
    const reason = await this.#changes.rollOut(change, signal);
    if (reason === undefined) return;
    this.#parts.events.log("warn", `the roll-out of ${change.id} was interrupted`, { reason });
    // Avoids a busy loop: the node keeps the claim, and would claim the change again at once.
    if (!signal.aborted) await this.#pause();
  }
}
