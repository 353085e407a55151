import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../lib/as-error.ts";
import type { Cause, RecordedRun } from "../../run-records.ts";
import type { JobSpec } from "../job.ts";
import { appendRecord, readRuns } from "../records.ts";
import { maxRunsAtOnce } from "../settings.ts";
import type { RunContext } from "./context.ts";
import { type Waiting, waitingOf, whyTooLate } from "./due-times.ts";
import { type Fired, type FiredWith, FireRecords } from "./fire-records.ts";
import { performRun } from "./perform.ts";
import { type RunPlan, readPlan, removeEnvFiles, runFiles } from "./plan.ts";
import { prune } from "./prune.ts";
import { Retirement } from "./retirement.ts";
import { openRunIds, releaseRunId } from "./run-ids.ts";

/** The delay before a retry; shorter while somebody waits. Milliseconds. */
const pauseMs = 60_000;
const hurriedPauseMs = 5000;

interface OpenRun {
  /** Undefined for the few milliseconds until it is allocated. */
  id: string | undefined;
  readonly isManual: boolean;
  readonly interruption: AbortController;
  readonly end: PromiseWithResolvers<void>;
}

function openRun(cause: Cause, id?: string): OpenRun {
  return { id, isManual: cause.kind === "manual", interruption: new AbortController(), end: Promise.withResolvers() };
}

/** All runs of a scheduler: fires them, at most one per changeling at a time, and resumes those left by a crash. */
export class RunKeeper {
  readonly #context: RunContext;
  /** By changeling. */
  readonly #open = new Map<string, OpenRun>();
  /** By changeling, in the order in which they became due; each fires when its turn comes. */
  readonly #queued = new Map<string, Waiting>();
  readonly #tidying = new Map<string, Promise<void>>();
  readonly #records: FireRecords;
  readonly #retirement: Retirement;
  readonly #mostAtOnce: number;
  /** The current job, read when a queued run's turn comes. */
  readonly #currentSpec: (name: string) => JobSpec | undefined;
  #isClosing = false;

  constructor(context: RunContext, currentSpec: (name: string) => JobSpec | undefined) {
    this.#context = context;
    this.#currentSpec = currentSpec;
    this.#records = new FireRecords(context);
    this.#retirement = new Retirement(context);
    this.#mostAtOnce = maxRunsAtOnce(context.paths);
  }

  /** Resumes the runs that were open when the last scheduler ended. Call once, first. */
  adopt(): void {
    const { paths, log } = this.#context;
    const open = readRuns(paths).filter(({ outcome }) => outcome === undefined);
    const ids = new Set(open.map(({ id }) => id));
    for (const { id } of openRunIds(paths)) if (!ids.has(id)) releaseRunId(paths, id);
    removeEnvFiles(paths, ids);
    for (const recorded of open) {
      const { id, changeling } = recorded;
      const plan = readPlan(runFiles(paths, changeling, id));
      log(`${id}: taken up again`);
      if (plan === undefined) this.#giveUp(recorded);
      else this.#perform(plan, openRun(recorded.cause, id));
    }
  }

  /** Ends the runs of changelings that were removed while no scheduler was running. */
  endRemoved(isInstalled: (name: string) => boolean): void {
    for (const name of this.#open.keys()) {
      if (!isInstalled(name)) void this.remove(name, "its changeling was removed while no scheduler was running");
    }
  }

  /** Restores the queued runs that the last scheduler did not fire. */
  adoptQueued(names: readonly string[]): void {
    const waiting = names.flatMap((name) => waitingOf(this.#context.paths, name) ?? []);
    for (const each of waiting.sort((a, b) => Date.parse(a.since) - Date.parse(b.since))) {
      this.#queued.set(each.changeling, each);
    }
    this.#fireQueued();
  }

  /**
   * @param request id of the request that caused it; after a crash, the same request does not fire a second run
   * @throws if not even the fire could be recorded
   */
  async fire(spec: JobSpec, cause: Cause, request?: string): Promise<Fired> {
    const before = request === undefined ? undefined : this.#records.of(spec.name, request);
    if (before !== undefined) return before;
    const open = this.#open.get(spec.name);
    if (this.#isClosing) return this.skip(spec.name, cause, "the scheduler is being stopped", request);
    if (open !== undefined) return this.#fireLater(spec, cause, open, request);
    if (cause.kind !== "manual" && (this.#isFull() || this.#queued.size > 0)) return this.#await(spec, cause);
    return this.#fireNow(spec, cause, { request });
  }

  /** Manual runs neither wait nor count. */
  #isFull(): boolean {
    return [...this.#open.values()].filter(({ isManual }) => !isManual).length >= this.#mostAtOnce;
  }

  async #fireNow(spec: JobSpec, cause: Cause, how: FiredWith): Promise<{ readonly runId: string }> {
    const run = openRun(cause);
    this.#open.set(spec.name, run);
    try {
      const plan = await this.#records.fired(spec, cause, how);
      run.id = plan.id;
      this.#perform(plan, run);
      return { runId: plan.id };
    } catch (error) {
      this.#open.delete(spec.name);
      run.end.resolve();
      this.#fireQueued();
      throw error;
    }
  }

  /** Records a due time or a request as skipped. */
  skip(name: string, cause: Cause, reason: string, request?: string): { readonly skipped: string } {
    return this.#records.skipped(name, cause, reason, request);
  }

  /** Ends the current run of a removed changeling and drops its queued run. Returns once the run has ended. */
  async remove(name: string, reason: string): Promise<void> {
    await this.#interrupt(name, reason);
    // Not awaited: mngr takes seconds, and agents with unsaved work are kept anyway.
    this.#retirement.add(name);
  }

  /** Ends all runs and fires no more. Then destroys the kept agents, except those with unsaved work. */
  async close(reason: string): Promise<void> {
    this.#isClosing = true;
    this.#retirement.close();
    await Promise.all([...this.#open.keys()].map((name) => this.#interrupt(name, reason)));
    await this.#retirement.retireRest();
  }

  async #interrupt(name: string, reason: string): Promise<void> {
    const waiting = this.#queued.get(name);
    this.#queued.delete(name);
    try {
      // Otherwise a new changeling of the same name would fire it.
      if (waiting !== undefined) this.skip(name, waiting.cause, reason.replace("running", "waiting for its turn"));
    } catch (error) {
      this.#context.log(`${name}: ${messageOf(error)}`);
    }
    const open = this.#open.get(name);
    open?.interruption.abort(reason);
    await open?.end.promise;
  }

  #fireLater(spec: JobSpec, cause: Cause, open: OpenRun, request: string | undefined): Fired {
    const running = open.id ?? "a run of it";
    // A manual run either starts now, or the user learns why it does not.
    if (spec.overlap === "skip" || cause.kind === "manual") {
      return this.skip(spec.name, cause, `${running} is still running`, request);
    }
    if (this.#queued.has(spec.name)) {
      return this.skip(spec.name, cause, `${running} is still running, and another is queued`, request);
    }
    return this.#enqueue(spec, cause, `queued behind ${running}`);
  }

  #await(spec: JobSpec, cause: Cause): Fired {
    if (this.#queued.has(spec.name))
      return this.skip(spec.name, cause, "an earlier run of it still waits for its turn");
    return this.#enqueue(spec, cause, `waits for its turn: ${this.#open.size} runs are open`);
  }

  #enqueue({ name }: JobSpec, cause: Cause, event: string): Fired {
    const since = new Date().toISOString();
    appendRecord(this.#context.paths, { event: "queued", at: since, changeling: name, cause });
    this.#queued.set(name, { changeling: name, cause, since });
    this.#context.log(`${name}: ${event}`);
    return { queued: true };
  }

  /** Fires queued runs in order while there are free slots. */
  #fireQueued(): void {
    for (const waiting of [...this.#queued.values()]) {
      if (this.#isClosing || this.#isFull()) return;
      if (this.#open.has(waiting.changeling)) continue;
      this.#queued.delete(waiting.changeling);
      this.#fireWaiting(waiting).catch((error: unknown) => {
        // It could not be recorded, so it stays queued.
        this.#context.log(`${waiting.changeling}: ${messageOf(error)}`);
        if (!this.#queued.has(waiting.changeling)) this.#queued.set(waiting.changeling, waiting);
        setTimeout(() => this.#fireQueued(), pauseMs).unref();
      });
    }
  }

  async #fireWaiting({ changeling: name, cause, since }: Waiting): Promise<void> {
    const spec = this.#currentSpec(name);
    if (spec?.enabled !== true) {
      this.skip(name, cause, "it was paused or removed while this run was queued");
      return;
    }
    const late = whyTooLate(spec, cause, Date.now());
    if (late === undefined) {
      const waitedSeconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
      await this.#fireNow(spec, cause, { waitedSeconds });
    } else this.skip(name, cause, `it waited for other runs since ${since}, and ${late}`);
  }

  #perform(plan: RunPlan, run: OpenRun): void {
    const { name } = plan.spec;
    this.#open.set(name, run);
    void this.#performToEnd(plan, run).finally(() => {
      this.#open.delete(name);
      run.end.resolve();
      this.#fireQueued();
      void this.#tidyUp(plan);
    });
  }

  /** Runs alongside the next run, but only once at a time per changeling. */
  #tidyUp(plan: RunPlan): Promise<void> {
    const { name } = plan.spec;
    const tidied = (this.#tidying.get(name) ?? Promise.resolve())
      .then(() => prune(plan, this.#context))
      .catch((error: unknown) => this.#context.log(`${plan.id}: could not tidy up: ${messageOf(error)}`));
    this.#tidying.set(name, tidied);
    return tidied;
  }

  async #performToEnd(plan: RunPlan, run: OpenRun): Promise<void> {
    const { paths, log } = this.#context;
    const { signal } = run.interruption;
    const lines = await this.#insist(run, async () => {
      const recorded = readRuns(paths, plan.spec.name).find(({ id }) => id === plan.id);
      return recorded === undefined ? [] : performRun(plan, recorded, this.#context, signal);
    });
    for (const line of lines) {
      // Its agent is stopped, so a removal need not wait for the disk.
      await this.#insist(run, async () => {
        try {
          appendRecord(paths, line);
        } catch (error) {
          if (!signal.aborted) throw error;
          log(`${plan.id}: ${messageOf(error)}`);
        }
      });
      if (line.event === "ended")
        log(`${plan.id}: ${line.outcome}${line.reason === undefined ? "" : ` (${line.reason})`}`);
    }
    releaseRunId(paths, plan.id);
  }

  /** Retries until it succeeds: a run stays open while its agent can't be stopped or its end can't be recorded. */
  async #insist<Result>({ id, interruption: { signal } }: OpenRun, work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        this.#context.log(`${id}: ${messageOf(error)}; it is tried again`);
        if (signal.aborted) await sleep(hurriedPauseMs);
        else await sleep(pauseMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Fails a run whose plan is missing or unreadable, after stopping its agent. */
  #giveUp(run: RecordedRun): void {
    const { paths, mngr } = this.#context;
    const { id, changeling, intendedAgentId = run.agentId } = run;
    const open = openRun(run.cause, id);
    this.#open.set(changeling, open);
    const reason = "it was interrupted, and its plan is gone";
    const end = async () => {
      const profile = this.#currentSpec(changeling)?.mngrProfile;
      if (intendedAgentId !== undefined) await mngr(profile).stop(intendedAgentId);
      const at = new Date().toISOString();
      appendRecord(paths, { event: "ended", at, changeling, id, outcome: "failed", reason, commits: [] });
    };
    void this.#insist(open, end).then(() => {
      releaseRunId(paths, id);
      this.#open.delete(changeling);
      open.end.resolve();
      this.#fireQueued();
    });
  }
}
