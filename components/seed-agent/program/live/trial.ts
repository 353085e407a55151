import type { Recording } from "../domain.ts";
import { HostError } from "../hot-reload/version-host.ts";
import { ownValue } from "../own-value.ts";
import type { Probation } from "./live.ts";
import { type Observation, regression } from "./regression.ts";
import { type AgentState, checksOf, type Running } from "./running.ts";
import { minSamples, Slowness } from "./slowness.ts";
import { Counter } from "./statistics.ts";

export interface TrialOptions {
  readonly seconds: number;
  /** In bytes. */
  readonly memoryLimit: number;
  readonly state: AgentState;
  /** Requests that are replayed during the probation, so that a version is tested even if no client calls it. */
  readonly recordings: readonly Recording[];
  /** Called once. */
  readonly onEnd: (end: { readonly passed: true } | { readonly passed: false; readonly reason: string }) => void;
}

/** The version's checks cost more than reading its memory, so they run less often. */
const ticksPerCheck = 5;
const probesPerTick = 4;
/** While a suspicion of slowness is checked, as many more as this time (ms) allows. */
const checkMs = 1000;
/** How long (ms) a probation lasts beyond its end because of a suspicion. */
const longestCheckMs = 5000;
/** Limits of the warm-up, in recorded requests and in ms. */
const warmUpTurns = 300;
const warmUpMs = 250;

/**
 * The probation of a version, with the version that it replaced kept warm. It watches the version's answers to clients, which
 * `Running` counts, and replays recorded requests: the same request in the same context must get the same answer each time.
 */
export class Trial {
  readonly #now: Running;
  readonly #former: Running;
  readonly #options: TrialOptions;
  readonly #startedAt = Date.now();
  readonly #start = performance.now();
  readonly #expected = new Map<string, string>();
  /** The observation of the former version, made while it still served. */
  #before: Observation = { statistics: new Counter().get(), memory: 0, checks: new Map() };
  #slowness: Slowness;
  #state: Probation["state"] = "under way";
  #reason: string | undefined;
  #ticks = 0;
  #probe = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(now: Running, former: Running, options: TrialOptions) {
    this.#now = now;
    this.#former = former;
    this.#options = options;
    this.#slowness = new Slowness(now.counter, this.#before.statistics);
  }

  /**
   * Observes the former version, and replays the recordings on both, before any client reaches the new one.
   *
   * @throws HostError if the new one already misbehaves
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
    this.#slowness = new Slowness(this.#now.counter, this.#before.statistics);
  }

  /** A new process is slow until its code is compiled. Clients should not have to wait for that. */
  async #warmUp(): Promise<void> {
    const { recordings } = this.#options;
    const end = performance.now() + warmUpMs;
    for (let turn = 0; recordings.length > 0 && turn < warmUpTurns && performance.now() < end; turn++) {
      const recording = recordings[turn % recordings.length];
      const reason = recording && (await this.#problemWith(recording));
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
    if (this.#state !== "under way" || this.#isStopped) return;
    this.#state = "failed";
    this.#reason = reason;
    this.stop();
    this.#options.onEnd({ passed: false, reason });
  }

  pass(): void {
    if (this.#state !== "under way" || this.#isStopped) return;
    this.#state = "passed";
    this.stop();
    this.#options.onEnd({ passed: true });
  }

  /** Ends the probation without a result, because the service ends. */
  stop(): void {
    this.#isStopped = true;
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
      // The store can't be reached, or the process has ended, which NodeLive watches.
    }
    if (this.#state !== "under way" || this.#timer === undefined) return;
    const lateMs = performance.now() - this.#start - this.#options.seconds * 1000;
    const isChecked = this.#slowness.suspicion === undefined || lateMs >= longestCheckMs;
    if (lateMs < 0 || !isChecked) return this.start();
    const reason = this.#slowness.decide();
    if (reason === undefined) this.pass();
    else this.fail(reason);
  }

  async #observe(): Promise<void> {
    await this.#replaySome();
    const isWithChecks = this.#ticks++ % ticksPerCheck === 0;
    const checks = isWithChecks ? await checksOf(this.#now, this.#options.state) : new Map<string, boolean>();
    const observation = { statistics: this.#now.counter.get(), memory: await this.#now.host.memory(), checks };
    const reason = regression(observation, this.#before, this.#options.memoryLimit) ?? this.#slowness.judge();
    if (reason !== undefined) this.fail(reason);
  }

  async #replaySome(): Promise<void> {
    const { recordings } = this.#options;
    const { control } = this.#slowness;
    const count = Math.min(control === undefined ? probesPerTick : minSamples, recordings.length * minSamples);
    const end = performance.now() + checkMs;
    for (let done = 0; done < count && (done < probesPerTick || performance.now() < end); done++) {
      const recording = recordings[this.#probe++ % recordings.length];
      const reason = recording && (await this.#problemWith(recording));
      if (reason !== undefined) return this.fail(reason);
      if (recording && control) await replay({ host: this.#former.host, counter: control }, recording);
    }
  }

  /** Replays a recording. @returns what is wrong with the answer, or undefined */
  async #problemWith(recording: Recording): Promise<string | undefined> {
    const expected = this.#expected.get(recording.id);
    if (expected === undefined) return undefined;
    const { method, path } = recording.request;
    const handled = await replay(this.#now, recording);
    if (handled === undefined) return undefined;
    if ("reason" in handled) return `it no longer answers ${method} ${path}: ${handled.reason}`;
    return handled.answer === expected ? undefined : `it answers ${method} ${path} differently than at first`;
  }
}

/**
 * @returns the answer in a form that can be compared, or why there was none; undefined if clients keep the process busy,
 *   which says nothing about the version
 */
async function replay(
  { host, counter }: Pick<Running, "host" | "counter">,
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
