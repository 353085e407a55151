import { messageOf } from "../../../lib/as-error.ts";
import type { CodeStore } from "../code-store/code-store.ts";
import type { AgentRequest, AgentResponse, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import { HostError, type HostLimits, type StartHost } from "../hot-reload/version-host.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { Store } from "../store/store.ts";
import { type Attempt, attempt } from "./attempt.ts";
import { Crashes } from "./crashes.ts";
import type { Live, Probation, Signal } from "./live.ts";
import { Recorder } from "./recorder.ts";
import { RefusedVersions } from "./refused-versions.ts";
import { givenNow, type Running, running } from "./running.ts";
import { Signals } from "./signals.ts";
import { Trial } from "./trial.ts";

export interface LiveParts {
  readonly startHost: StartHost;
  readonly limits: HostLimits;
  /** Must be open. */
  readonly codeStore: CodeStore;
  readonly store: Pick<Store, "record" | "recordings" | "stateGet" | "stateSet">;
  readonly events: Events;
  readonly firstVersion: () => Promise<Version>;
  readonly probationSeconds: number;
  /** How many recordings the store keeps. */
  readonly recordings: number;
  /** Called when this node gave a version up because it does not start or keeps crashing. */
  readonly onFallback?: (from: string, to: string, reason: string) => void;
}

/** How many recordings are replayed in probation. */
const maxRecordings = 20;
/** How long a former version may take to finish its requests, in ms. */
const graceMilliseconds = 10_000;

export class NodeLive implements Live {
  readonly #parts: LiveParts;
  readonly #read: (id: string) => Promise<Version | undefined>;
  readonly #recorder: Recorder;
  readonly #signals = new Signals();
  readonly #refused = new RefusedVersions();
  readonly #crashes = new Crashes();
  #current: Running;
  #former: Running | undefined;
  #trial: Trial | undefined;
  #problem: string | undefined;
  #isClosed = false;
  /** Activations, rollbacks and restarts run one after another. */
  readonly #queue = new SerialQueue();

  constructor(parts: LiveParts, current: Running, read: (id: string) => Promise<Version | undefined>) {
    this.#parts = parts;
    this.#read = read;
    this.#recorder = new Recorder(parts.store, parts.recordings);
    this.#current = current;
    this.#watch(current);
  }

  /**
   * @param wanted the version that should have been booted
   * @param reason why it was not, if another one was
   */
  async boot(wanted: string, reason: string): Promise<void> {
    const { codeStore, onFallback } = this.#parts;
    const id = this.#current.version.id;
    if (id !== wanted) {
      this.#refused.add(wanted, reason);
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
    const first = await this.#try(now, request);
    if (!first.isError) return first.response;
    // A failed answer has no effects. While a former version is warm, it answers instead.
    const fallback = this.#current === now ? this.#former : this.#current;
    if (fallback !== undefined) {
      const second = await this.#try(fallback, request);
      return second.isError ? first.response : second.response;
    }
    if (!first.hasEnded) return first.response;
    // Its restart is queued when its process has ended.
    await now.host.ended;
    await this.#queue.idle();
    return this.#current === now ? first.response : (await this.#try(this.#current, request)).response;
  }

  #try(by: Running, request: AgentRequest): Promise<Attempt> {
    const { store, events } = this.#parts;
    return attempt(by, request, { ...{ state: store, events }, recorder: this.#recorder, signals: this.#signals });
  }

  async activate(version: Version): Promise<void> {
    return await this.#queue.run(async () => {
      if (version.id === this.active) return;
      const refused = this.#refused.reason(version.id);
      if (refused !== undefined) throw new HostError("did not start", `this node gave it up: ${refused}`);
      const { codeStore, startHost, limits, events } = this.#parts;
      const done = events.hotReload({ version: version.id, step: "activate" });
      const warm = this.#former;
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
        // The current version may still fail its probation, and needs the version that it returns to.
        if (warm !== undefined && this.#trial?.get().state !== "passed") {
          this.#former = await this.#started(warm.version.id);
        }
        done({ ok: false, reason: messageOf(error) });
        throw error;
      }
    });
  }

  async keep(): Promise<void> {
    this.#trial?.pass();
    await this.#queue.idle();
  }

  async revert(reason: string): Promise<string> {
    this.#trial?.fail(reason);
    await this.#queue.idle();
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
    await this.#queue.idle();
    await Promise.all([this.#current.host.end(graceMilliseconds), this.#former?.host.end(0)]);
  }

  async #probate(now: Running, former: Running): Promise<void> {
    this.#former = former;
    this.#begin(await this.#trialOf(now, former));
  }

  async #trialOf(now: Running, former: Running): Promise<Trial> {
    const { store, probationSeconds: seconds, limits } = this.#parts;
    const recordings = await store.recordings(maxRecordings).catch(() => []);
    const memoryLimit = limits.memoryMb * 1024 ** 2;
    const trial = new Trial(now, former, {
      ...{ seconds, memoryLimit, recordings, state: store },
      onEnd: (end) => void this.#queue.run(() => (end.passed ? this.#accept(now) : this.#reject(now, end.reason))),
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
    await this.#reportingErrors(this.#parts.codeStore.markGood(now.version.id));
  }

  /** While this runs, clients already get the former version's answers. */
  async #reject(now: Running, reason: string): Promise<void> {
    const former = this.#former;
    if (this.#current !== now || former === undefined) return;
    const done = this.#parts.events.hotReload({ version: now.version.id, step: "roll back" });
    this.#current = former;
    this.#former = undefined;
    this.#refused.add(now.version.id, reason);
    this.#signals.add("rolled-back", `${now.version.id} (${now.version.summary}) was rolled back: ${reason}`);
    await this.#remember(former.version.id);
    await now.host.end(0);
    done({ ok: true });
  }

  /** Ends the former version of the last activation, if it is still warm. */
  async #endFormer(): Promise<void> {
    const former = this.#former;
    this.#former = undefined;
    await former?.host.end(graceMilliseconds);
  }

  #watch(watched: Running): void {
    void watched.host.ended.then(({ reason }) => {
      if (this.#isClosed) return;
      if (this.#former === watched) {
        void this.#queue.run(() => this.#restartFormer(watched));
      } else if (this.#current === watched) {
        this.#signals.add("error", `its process ended: ${reason}`);
        if (this.#former !== undefined) this.#trial?.fail(`its process ended: ${reason}`);
        else void this.#queue.run(() => this.#restart(watched, reason));
      }
    });
  }

  async #restartFormer(ended: Running): Promise<void> {
    if (this.#former !== ended) return;
    this.#former = await this.#started(ended.version.id);
  }

  async #restart(ended: Running, reason: string): Promise<void> {
    if (this.#current !== ended || this.#isClosed) return;
    const { id } = ended.version;
    const isCrashing = this.#crashes.add();
    const candidates = [...(isCrashing ? [] : [id]), this.#parts.codeStore.lastGood(), "v0"];
    for (const candidate of new Set(candidates)) {
      const next = await this.#started(candidate);
      if (next === undefined) continue;
      this.#current = next;
      if (candidate !== id) {
        this.#crashes.clear();
        const words = `its process kept ending: ${reason}`;
        this.#refused.add(id, words);
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

  async #remember(id: string): Promise<void> {
    await this.#reportingErrors(this.#parts.codeStore.activate(id));
  }

  /** The running version is right even if the disk can't be written, so an error becomes this node's problem instead. */
  async #reportingErrors(write: Promise<void>): Promise<void> {
    try {
      await write;
      this.#problem = undefined;
    } catch (error) {
      this.#problem = `the code store could not be written: ${messageOf(error)}`;
      this.#parts.events.log("error", this.#problem);
    }
  }
}
