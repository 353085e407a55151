import type { Recording } from "../domain.ts";
import { HostError } from "../hot-reload/version-host.ts";
import { ownValue } from "../own-value.ts";
import { complaint, type Observation } from "./judgement.ts";
import type { Probation } from "./live.ts";
import { type AgentState, checksOf, type Running } from "./running.ts";
import { Counter } from "./statistics.ts";

export interface TrialOptions {
  readonly seconds: number;
  /** In bytes. */
  readonly memoryLimit: number;
  readonly state: AgentState;
  /** Requests that are repeated all the while, so that a version is also judged where nobody calls it. */
  readonly recordings: readonly Recording[];
  /** Called once. */
  readonly onEnd: (end: { readonly passed: true } | { readonly passed: false; readonly reason: string }) => void;
}

/** The checks cost more than a look at memory. */
const ticksPerCheck = 5;
const probesPerTick = 2;
/** Recorded requests that a new version gets before any client's, at most, and for how long, in ms. */
const warmUpTurns = 300;
const warmUpMs = 250;

/**
 * The probation of a version, beside the one that it replaced. Requests that it answers are counted by `Running`; recorded
 * ones are repeated, because the same request in the same context must have the same answer however often it is asked.
 */
export class Trial {
  readonly #now: Running;
  readonly #former: Running;
  readonly #options: TrialOptions;
  readonly #startedAt = Date.now();
  readonly #start = performance.now();
  readonly #expected = new Map<string, string>();
  /** The former version's, from when it was still serving. */
  #before: Observation = { statistics: new Counter().get(), memory: 0, checks: new Map() };
  #state: Probation["state"] = "under way";
  #reason: string | undefined;
  #ticks = 0;
  #probe = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: Running, former: Running, options: TrialOptions) {
    this.#now = now;
    this.#former = former;
    this.#options = options;
  }

  /**
   * Observes the former version and repeats the recordings on both, before any client reaches the new one.
   *
   * @throws HostError if the new one misbehaves already
   */
  async prepare(): Promise<void> {
    for (const recording of this.#options.recordings) {
      const [handled] = await Promise.all([replay(this.#now, recording), replay(this.#former, recording)]);
      if (handled !== undefined && "answer" in handled) this.#expected.set(recording.id, handled.answer);
    }
    await this.#warmUp();
    const { counter, host } = this.#former;
    const checks = await checksOf(this.#former, this.#options.state).catch(() => new Map<string, boolean>());
    this.#before = { statistics: counter.get(), memory: await host.memory(), checks };
  }

  /** A process that was just started is slow at first: no client shall wait for its compiler. */
  async #warmUp(): Promise<void> {
    const { recordings } = this.#options;
    const end = performance.now() + warmUpMs;
    for (let turn = 0; recordings.length > 0 && turn < warmUpTurns && performance.now() < end; turn++) {
      const recording = recordings[turn % recordings.length];
      const reason = recording && (await this.#repeated(recording));
      if (reason !== undefined) throw new HostError("did not start", reason);
    }
    this.#now.counter.forgetTimes();
  }

  start(): void {
    this.#timer = setTimeout(() => this.#tick(), this.#interval);
  }

  get(): Probation {
    const { requests, errors } = this.#now.counter.get();
    return {
      ...{ version: this.#now.version.id, former: this.#former.version.id, startedAt: this.#startedAt },
      ...{ state: this.#state, requests, errors },
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  fail(reason: string): void {
    if (this.#state !== "under way") return;
    this.#state = "failed";
    this.#reason = reason;
    this.stop();
    this.#options.onEnd({ passed: false, reason });
  }

  pass(): void {
    if (this.#state !== "under way") return;
    this.#state = "passed";
    this.stop();
    this.#options.onEnd({ passed: true });
  }

  /** Without a verdict: the service ends. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** In ms. */
  get #interval(): number {
    return Math.min(1000, Math.max(50, this.#options.seconds * 50));
  }

  async #tick(): Promise<void> {
    try {
      await this.#observe();
    } catch {
      // The store is away, or the process ended, which is noticed by whoever waits for its end.
    }
    if (this.#state !== "under way" || this.#timer === undefined) return;
    if (performance.now() - this.#start >= this.#options.seconds * 1000) this.pass();
    else this.start();
  }

  async #observe(): Promise<void> {
    await this.#repeat();
    const isWithChecks = this.#ticks++ % ticksPerCheck === 0;
    const checks = isWithChecks ? await checksOf(this.#now, this.#options.state) : new Map<string, boolean>();
    const observation = { statistics: this.#now.counter.get(), memory: await this.#now.host.memory(), checks };
    const reason = complaint(observation, this.#before, this.#options.memoryLimit);
    if (reason !== undefined) this.fail(reason);
  }

  async #repeat(): Promise<void> {
    const { recordings } = this.#options;
    for (let count = 0; count < Math.min(probesPerTick, recordings.length); count++) {
      const recording = recordings[this.#probe++ % recordings.length];
      const reason = recording && (await this.#repeated(recording));
      if (reason !== undefined) return this.fail(reason);
    }
  }

  /** @returns what is wrong with the answer, in words */
  async #repeated(recording: Recording): Promise<string | undefined> {
    const expected = this.#expected.get(recording.id);
    if (expected === undefined) return undefined;
    const { method, path } = recording.request;
    const handled = await replay(this.#now, recording);
    if (handled === undefined) return undefined;
    if ("reason" in handled) return `it does not answer ${method} ${path} any more: ${handled.reason}`;
    return handled.answer === expected ? undefined : `it answers ${method} ${path} otherwise than at first`;
  }
}

/**
 * @returns the answer in a form that can be compared, or why there was none; undefined if clients keep the process busy,
 *   which says nothing about the version
 */
async function replay(
  { host, counter }: Running,
  recording: Recording,
): Promise<{ readonly answer: string } | { readonly reason: string } | undefined> {
  const { request, now, seed, state } = recording;
  try {
    const { response, milliseconds } = await host.handle(request, {
      ...{ now, seed },
      read: async (key) => ownValue(state, key) ?? undefined,
    });
    counter.time(milliseconds);
    const { status, headers, body } = response;
    return { answer: JSON.stringify([status, Object.entries(headers).toSorted(), body]) };
  } catch (error) {
    if (error instanceof HostError) return error.code === "busy" ? undefined : { reason: error.message };
    throw error;
  }
}
