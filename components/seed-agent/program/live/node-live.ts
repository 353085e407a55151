import type { CodeStore } from "../code-store/code-store.ts";
import type { AgentRequest, AgentResponse, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import { HostError, type HostLimits, type StartHost } from "../hot-reload/version-host.ts";
import type { Store } from "../store/store.ts";
import { failure, plain } from "./failure.ts";
import type { Live, Probation, Signal } from "./live.ts";
import { Recorder } from "./recorder.ts";
import { answer, givenNow, type Running, running } from "./running.ts";
import { Signals } from "./signals.ts";
import { Trial } from "./trial.ts";

export interface LiveParts {
  readonly startHost: StartHost;
  readonly limits: HostLimits;
  /** Opened. */
  readonly codeStore: CodeStore;
  readonly store: Pick<Store, "record" | "recordings" | "stateGet" | "stateSet">;
  readonly events: Events;
  readonly firstVersion: () => Promise<Version>;
  readonly probationSeconds: number;
  /** How many recordings the store keeps. */
  readonly recordings: number;
  /** This node gave a version up by itself, because it does not start or keeps crashing. */
  readonly onFallback?: (from: string, to: string, reason: string) => void;
}

/** Recordings that are repeated in probation. */
const probes = 20;
/** A process that ends more often than this within `crashWindow` (ms) is not started again. */
const mostCrashes = 3;
const crashWindow = 60_000;
/** A good version is given up after so many starts that did not prove themselves. */
const mostStarts = 10;
/** How long a version that was given up is refused, in ms. */
const refusedFor = 10 * 60_000;
/** A slow answer is a signal, in ms. */
const slowAfter = 1000;
/** How long the former version may take to finish its requests, in ms. */
const grace = 10_000;

/**
 * Boots this node: the active version of its code store; after a crash loop, or if that does not start, the last good one,
 * then `v0`. A version that has not passed its probation begins it again.
 *
 * @throws HostError if not even `v0` starts
 */
export async function openLive(parts: LiveParts): Promise<Live> {
  const { codeStore, firstVersion } = parts;
  const read = async (id: string) => (id === "v0" ? await firstVersion() : await codeStore.read(id));
  const { isCrashLoop: isLoop, starts } = await codeStore.beginStart();
  // A version that passed its probation is rarely why a machine restarts again and again.
  const isCrashLoop = isLoop && (!codeStore.isGood() || starts > mostStarts);
  const active = codeStore.active();
  const candidates = [...new Set([...(isCrashLoop ? [] : [active]), codeStore.lastGood(), "v0"])];
  let reason = isCrashLoop ? `the service did not stay up after ${starts} starts` : "";
  for (const id of candidates) {
    let live: NodeLive | undefined;
    try {
      const version = await read(id);
      if (version === undefined) throw new HostError("did not start", `its files are not in the code store`);
      live = new NodeLive(parts, running(version, await parts.startHost(version, parts.limits)), read);
      await live.boot(active, reason);
      return live;
    } catch (error) {
      await live?.close();
      if (!(error instanceof HostError)) throw error;
      reason = error.message;
      parts.events.log("error", `version ${id} does not start`, { reason });
      if (id === "v0") throw error;
    }
  }
  throw new HostError("did not start", reason);
}

class NodeLive implements Live {
  readonly #parts: LiveParts;
  readonly #read: (id: string) => Promise<Version | undefined>;
  readonly #recorder: Recorder;
  readonly #signals = new Signals();
  /** Versions that this node gave up: until when they are refused, and why. */
  readonly #refused = new Map<string, { readonly until: number; readonly reason: string }>();
  readonly #crashes: number[] = [];
  #current: Running;
  #former: Running | undefined;
  #trial: Trial | undefined;
  #problem: string | undefined;
  #isClosed = false;
  /** Activation, reversion and restarts happen one after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: LiveParts, current: Running, read: (id: string) => Promise<Version | undefined>) {
    this.#parts = parts;
    this.#read = read;
    this.#recorder = new Recorder(parts.store, parts.recordings);
    this.#current = current;
    this.#watch(current);
  }

  /** @param wanted what should have been booted; @param reason why it was not, in words */
  async boot(wanted: string, reason: string): Promise<void> {
    const { codeStore, onFallback } = this.#parts;
    const id = this.#current.version.id;
    if (id !== wanted) {
      this.#refuse(wanted, reason);
      await this.#remember(id);
      onFallback?.(wanted, id, reason);
    } else if (!codeStore.isGood()) {
      const former = await this.#started(codeStore.lastGood());
      if (former !== undefined) await this.#probate(this.#current, former);
    }
    const proven = setTimeout(() => void codeStore.markStarted().catch(() => undefined), 10_000);
    proven.unref();
  }

  get active(): string {
    return this.#current.version.id;
  }

  async handle(request: AgentRequest): Promise<AgentResponse> {
    const now = this.#current;
    const first = await this.#attempt(now, request);
    if (!first.isError) return first.response;
    // Failed answers have no effects. So while a former version is warm, no client has to see them.
    const fallback = this.#current === now ? this.#former : this.#current;
    if (fallback !== undefined) {
      const second = await this.#attempt(fallback, request);
      return second.isError ? first.response : second.response;
    }
    if (!first.hasEnded) return first.response;
    // By then its restart has begun, which this waits for.
    await now.host.ended;
    await this.#last;
    return this.#current === now ? first.response : (await this.#attempt(this.#current, request)).response;
  }

  async #attempt(by: Running, request: AgentRequest): Promise<Attempt> {
    const { store, events } = this.#parts;
    const start = performance.now();
    const version = by.version.id;
    const seconds = () => (performance.now() - start) / 1000;
    try {
      const { response, milliseconds } = await answer(by, request, { state: store, recorder: this.#recorder });
      const isError = response.status >= 500;
      by.counter.add(isError, milliseconds);
      events.request({ version, outcome: isError ? "error" : "ok" }, seconds());
      if (isError)
        this.#signals.add("error", `${request.method} ${request.path} is answered ${response.status}`, request);
      else if (milliseconds > slowAfter)
        this.#signals.add("slow", `${request.method} ${request.path} takes more than ${slowAfter} ms`, request);
      return { response, isError, hasEnded: false };
    } catch (error) {
      const { status, message, isOwn, isTimeout } = failure(error);
      if (isOwn) {
        by.counter.add(true);
        this.#signals.add("error", `${request.method} ${request.path}: ${message}`, request);
      }
      events.request({ version, outcome: isTimeout ? "timeout" : "error" }, seconds());
      events.log("warn", "a request failed", { version, path: request.path, reason: message });
      const hasEnded = error instanceof HostError && (error.code === "ended" || error.code === "timeout");
      return { response: plain(status, isOwn ? "The agent failed" : message), isError: true, hasEnded };
    }
  }

  async activate(version: Version): Promise<void> {
    return await this.#exclusively(async () => {
      if (version.id === this.active) return;
      const refused = this.#refused.get(version.id);
      if (refused !== undefined && performance.now() < refused.until)
        throw new HostError("did not start", `this node gave it up: ${refused.reason}`);
      const { codeStore, startHost, limits, events } = this.#parts;
      const done = events.hotReload({ version: version.id, step: "activate" });
      let next: Running | undefined;
      try {
        await this.#endFormer();
        next = running(version, await startHost(version, limits));
        const former = this.#current;
        const trial = await this.#trialOf(next, former);
        if (version.id !== "v0") await codeStore.write(version);
        await codeStore.activate(version.id);
        this.#former = former;
        this.#current = next;
        this.#begin(trial);
        this.#watch(next);
        this.#signals.clear();
        this.#problem = undefined;
        done({ ok: true });
      } catch (error) {
        await next?.host.end(0);
        done({ ok: false, reason: error instanceof Error ? error.message : String(error) });
        throw error;
      }
    });
  }

  async keep(): Promise<void> {
    this.#trial?.pass();
    await this.#last;
  }

  async revert(reason: string): Promise<string> {
    this.#trial?.fail(reason);
    await this.#last;
    return this.active;
  }

  probation(): Probation | undefined {
    return this.#trial?.get();
  }

  problem(): string | undefined {
    return this.#problem;
  }

  signals(): readonly Signal[] {
    return this.#signals.list();
  }

  async plan(situation: unknown): Promise<string | undefined> {
    return await this.#current.host.plan(situation, givenNow(this.#parts.store));
  }

  async checks(): ReturnType<Live["checks"]> {
    return await this.#current.host.checks(givenNow(this.#parts.store));
  }

  async memory(): Promise<number> {
    return await this.#current.host.memory();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#trial?.stop();
    await this.#last;
    await Promise.all([this.#current.host.end(grace), this.#former?.host.end(0)]);
  }

  async #probate(now: Running, former: Running): Promise<void> {
    this.#former = former;
    this.#begin(await this.#trialOf(now, former));
  }

  async #trialOf(now: Running, former: Running): Promise<Trial> {
    const { store, probationSeconds: seconds, limits } = this.#parts;
    const recordings = await store.recordings(probes).catch(() => []);
    const memoryLimit = limits.memoryMb * 1024 ** 2;
    const trial = new Trial(now, former, {
      ...{ seconds, memoryLimit, recordings, state: store },
      onEnd: (end) => void this.#exclusively(() => (end.passed ? this.#accept(now) : this.#reject(now, end.reason))),
    });
    await trial.prepare();
    return trial;
  }

  #begin(trial: Trial): void {
    this.#trial?.stop();
    this.#trial = trial;
    trial.start();
  }

  async #accept(now: Running): Promise<void> {
    if (this.#current !== now) return;
    await this.#endFormer();
    await this.#noting(this.#parts.codeStore.markGood(now.version.id));
  }

  /** Clients already get the former version's answers while this waits. */
  async #reject(now: Running, reason: string): Promise<void> {
    const former = this.#former;
    if (this.#current !== now || former === undefined) return;
    const done = this.#parts.events.hotReload({ version: now.version.id, step: "roll back" });
    this.#current = former;
    this.#former = undefined;
    this.#refuse(now.version.id, reason);
    this.#signals.add("rolled-back", `${now.version.id} (${now.version.summary}) was rolled back: ${reason}`);
    await this.#remember(former.version.id);
    await now.host.end(0);
    done({ ok: true });
  }

  /** Ends what is still under way from the activation before. */
  async #endFormer(): Promise<void> {
    const former = this.#former;
    this.#former = undefined;
    await former?.host.end(grace);
  }

  #watch(watched: Running): void {
    void watched.host.ended.then(({ reason }) => {
      if (this.#isClosed) return;
      if (this.#former === watched) {
        void this.#exclusively(() => this.#restartFormer(watched));
      } else if (this.#current === watched) {
        this.#signals.add("error", `its process ended: ${reason}`);
        if (this.#former !== undefined) this.#trial?.fail(`its process ended: ${reason}`);
        else void this.#exclusively(() => this.#restart(watched, reason));
      }
    });
  }

  async #restartFormer(ended: Running): Promise<void> {
    if (this.#former !== ended) return;
    this.#former = await this.#started(ended.version.id);
  }

  async #restart(ended: Running, reason: string): Promise<void> {
    if (this.#current !== ended || this.#isClosed) return;
    const now = performance.now();
    this.#crashes.push(now);
    while ((this.#crashes[0] ?? now) < now - crashWindow) this.#crashes.shift();
    const { id } = ended.version;
    const isCrashing = this.#crashes.length > mostCrashes;
    const candidates = [...(isCrashing ? [] : [id]), this.#parts.codeStore.lastGood(), "v0"];
    for (const candidate of new Set(candidates)) {
      const next = await this.#started(candidate);
      if (next === undefined) continue;
      this.#current = next;
      if (candidate !== id) {
        this.#crashes.length = 0;
        const words = `its process kept ending: ${reason}`;
        this.#refuse(id, words);
        await this.#remember(candidate);
        this.#parts.onFallback?.(id, candidate, words);
      }
      return;
    }
    this.#problem = `no version starts any more: ${reason}`;
  }

  /** @returns undefined if it does not start */
  async #started(id: string): Promise<Running | undefined> {
    try {
      const version = this.#current.version.id === id ? this.#current.version : await this.#read(id);
      if (version === undefined) return undefined;
      const next = running(version, await this.#parts.startHost(version, this.#parts.limits));
      this.#watch(next);
      return next;
    } catch (error) {
      this.#parts.events.log("error", `version ${id} does not start`, { reason: String(error) });
      return undefined;
    }
  }

  #refuse(version: string, reason: string): void {
    // There is nothing else to return to.
    if (version === "v0") return;
    this.#refused.set(version, { until: performance.now() + refusedFor, reason });
  }

  async #remember(id: string): Promise<void> {
    await this.#noting(this.#parts.codeStore.activate(id));
  }

  /** What runs is right even if the disk could not be written. */
  async #noting(write: Promise<void>): Promise<void> {
    try {
      await write;
      this.#problem = undefined;
    } catch (error) {
      this.#problem = `the code store could not be written: ${error instanceof Error ? error.message : error}`;
      this.#parts.events.log("error", this.#problem);
    }
  }

  async #exclusively<Result>(run: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(run, run);
    this.#last = next.catch(() => undefined);
    return await next;
  }
}

interface Attempt {
  readonly response: AgentResponse;
  readonly isError: boolean;
  /** The process is gone, so that another one may answer. */
  readonly hasEnded: boolean;
}
