import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { branchExists, gitIn } from "../../../git/git.ts";
import { ensureFolder } from "../../../host/files.ts";
import type { Cause, RecordedRun } from "../../run-records.ts";
import type { JobSpec } from "../job.ts";
import { appendRecord, readRuns } from "../records.ts";
import { maxRunsAtOnce } from "../settings.ts";
import type { RunContext } from "./context.ts";
import { type Waiting, waitingOf, whyTooLate } from "./due-times.ts";
import { performRun } from "./perform.ts";
import { branchOf, envFolder, type RunPlan, readPlan, runFiles, writePlan } from "./plan.ts";
import { prune, retire } from "./prune.ts";
import { repositoryFolder } from "./repository.ts";
import { openRunIds, RunIds, releaseRunId } from "./run-ids.ts";

/** How long until something that did not work is tried again; while somebody waits for it. Milliseconds. */
const pauseMs = 60_000;
const hurriedPauseMs = 5000;

/** What became of an occasion to fire. */
export type Fired = { readonly runId: string } | { readonly skipped: string } | { readonly queued: true };

interface FiredWith {
  /** Id of the request that asked for it. */
  readonly request?: string | undefined;
  readonly waitedSeconds?: number | undefined;
}

interface OpenRun {
  /** Undefined for the few milliseconds in which it gets one. */
  id: string | undefined;
  readonly isManual: boolean;
  readonly interruption: AbortController;
  readonly end: PromiseWithResolvers<void>;
}

function openRun(cause: Cause, id?: string): OpenRun {
  return { id, isManual: cause.kind === "manual", interruption: new AbortController(), end: Promise.withResolvers() };
}

/** All runs of a scheduler: fires them, at most one per changeling at a time, and takes up those that a crash left. */
export class RunKeeper {
  readonly #context: RunContext;
  /** By changeling. */
  readonly #open = new Map<string, OpenRun>();
  /** By changeling, in the order in which they came due: each fires once it is its turn. */
  readonly #queued = new Map<string, Waiting>();
  readonly #tidying = new Map<string, Promise<void>>();
  readonly #ids: RunIds;
  readonly #mostAtOnce: number;
  /** The job as it is now, when a queued run's turn has come. */
  readonly #currentSpec: (name: string) => JobSpec | undefined;
  /** Changelings that were removed, whose agents are still there. */
  readonly #toRetire = new Set<string>();
  #retiring: Promise<void> | undefined;
  #isClosing = false;

  constructor(context: RunContext, currentSpec: (name: string) => JobSpec | undefined) {
    this.#context = context;
    this.#currentSpec = currentSpec;
    this.#ids = new RunIds(context.paths);
    this.#mostAtOnce = maxRunsAtOnce(context.paths);
  }

  /** Takes up the runs that were open when the last scheduler ended. Call once, first. */
  adopt(): void {
    const { paths, log } = this.#context;
    const open = readRuns(paths).filter(({ outcome }) => outcome === undefined);
    const ids = new Set(open.map(({ id }) => id));
    for (const { id } of openRunIds(paths)) if (!ids.has(id)) releaseRunId(paths, id);
    this.#sweepEnvFiles(ids);
    for (const recorded of open) {
      const { id, changeling } = recorded;
      const plan = readPlan(runFiles(paths, changeling, id));
      log(`${id}: taken up again`);
      if (plan === undefined) this.#giveUp(recorded);
      else this.#perform(plan, openRun(recorded.cause, id));
    }
  }

  /** Ends the runs of changelings that were removed while no scheduler was there to do it. */
  endRemoved(isInstalled: (name: string) => boolean): void {
    for (const name of this.#open.keys()) {
      if (!isInstalled(name)) void this.remove(name, "its changeling was removed while no scheduler was running");
    }
  }

  /** The changelings whose queued run was not yet fired when the last scheduler ended. */
  adoptQueued(names: readonly string[]): void {
    const waiting = names.flatMap((name) => waitingOf(this.#context.paths, name) ?? []);
    for (const each of waiting.sort((a, b) => Date.parse(a.since) - Date.parse(b.since))) {
      this.#queued.set(each.changeling, each);
    }
    this.#fireQueued();
  }

  /**
   * @param request id of the request that asked for it; asked again after a crash, it is not fired again
   * @throws when it could not even be recorded
   */
  async fire(spec: JobSpec, cause: Cause, request?: string): Promise<Fired> {
    const before = request === undefined ? undefined : this.#answered(spec.name, request);
    if (before !== undefined) return before;
    const open = this.#open.get(spec.name);
    if (this.#isClosing) return this.skip(spec.name, cause, "the scheduler is being stopped", request);
    if (open !== undefined) return this.#fireLater(spec, cause, open, request);
    if (cause.kind !== "manual" && (this.#isFull() || this.#queued.size > 0)) return this.#await(spec, cause);
    return this.#fireNow(spec, cause, { request });
  }

  /** Runs that somebody asked for neither wait nor count. */
  #isFull(): boolean {
    return [...this.#open.values()].filter(({ isManual }) => !isManual).length >= this.#mostAtOnce;
  }

  async #fireNow(spec: JobSpec, cause: Cause, how: FiredWith): Promise<{ readonly runId: string }> {
    const run = openRun(cause);
    this.#open.set(spec.name, run);
    try {
      const plan = await this.#record(spec, cause, how);
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

  /** Records an occasion that was not taken. */
  skip(name: string, cause: Cause, reason: string, request?: string): { readonly skipped: string } {
    const at = new Date();
    const id = this.#ids.next(name, at.getTime());
    const asked = request === undefined ? {} : { request };
    const line = { event: "skipped", at: at.toISOString(), changeling: name, id, cause, reason, ...asked } as const;
    appendRecord(this.#context.paths, line);
    this.#context.log(`${id}: skipped (${reason})`);
    return { skipped: reason };
  }

  /** Ends what runs of a changeling that is removed, and drops what is queued. Returns once it has ended. */
  async remove(name: string, reason: string): Promise<void> {
    await this.#interrupt(name, reason);
    // Nobody waits for this: it takes mngr seconds, and what it would lose is kept anyway.
    this.#toRetire.add(name);
    this.#retiring ??= this.#retireAll().finally(() => {
      this.#retiring = undefined;
    });
  }

  /** The agents of all changelings that are removed meanwhile, by one mngr at a time: each takes seconds of processor time. */
  async #retireAll(): Promise<void> {
    while (this.#toRetire.size > 0 && !this.#isClosing) {
      const names = [...this.#toRetire];
      this.#toRetire.clear();
      await retire(names, this.#context, () => this.#isClosing);
    }
  }

  /** Ends all runs; none is fired any more. The agents that were kept are gone then, but for those with unsaved work. */
  async close(reason: string): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#open.keys()].map((name) => this.#interrupt(name, reason)));
    // Two at once would destroy the same agents.
    await this.#retiring;
    await retire(undefined, this.#context);
  }

  async #interrupt(name: string, reason: string): Promise<void> {
    const waiting = this.#queued.get(name);
    this.#queued.delete(name);
    try {
      // Or a changeling that is made again under this name would fire it.
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
    // Who asks for a run now gets one now, or is told why not.
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

  /** Fires what waits, in order, for as long as there is room. */
  #fireQueued(): void {
    for (const waiting of [...this.#queued.values()]) {
      if (this.#isClosing || this.#isFull()) return;
      if (this.#open.has(waiting.changeling)) continue;
      this.#queued.delete(waiting.changeling);
      this.#fireWaiting(waiting).catch((error: unknown) => {
        // It could not be recorded; it waits on.
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

  async #record(spec: JobSpec, cause: Cause, { request, waitedSeconds }: FiredWith): Promise<RunPlan> {
    const { paths } = this.#context;
    const firedAt = new Date();
    const git = gitIn(repositoryFolder(paths, spec.repo), this.#context.env);
    // A repository that is not there (yet) has no such branch either.
    const isTaken = (each: string) => branchExists(git, branchOf(each));
    const id = await this.#ids.claim(spec.name, firedAt.getTime(), isTaken);
    const agentId = `agent-${randomBytes(16).toString("hex")}`;
    const plan = { id, agentId, firedAt: firedAt.toISOString(), spec };
    try {
      writePlan(runFiles(paths, spec.name, id), plan);
      appendRecord(paths, {
        event: "fired",
        at: plan.firedAt,
        changeling: spec.name,
        id,
        cause,
        branch: branchOf(id),
        repo: repositoryFolder(paths, spec.repo),
        agentId,
        ...(request === undefined ? {} : { request }),
        ...(waitedSeconds === undefined ? {} : { waitedSeconds }),
      });
    } catch (error) {
      releaseRunId(paths, id);
      throw error;
    }
    this.#context.log(`${id}: fired (${cause.kind}${cause.kind === "manual" ? "" : `, due ${cause.due}`})`);
    return plan;
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

  /** Beside whatever runs next, but one at a time per changeling. */
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
      // Its agent is stopped: whoever removes it need not wait for a disk.
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

  /** Until it works: a run is open for as long as its agent can't be stopped, or its end can't be written down. */
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

  /** An open run may have a `mngr create` under way that still has to read its own. */
  #sweepEnvFiles(open: ReadonlySet<string>): void {
    const folder = envFolder(this.#context.paths);
    ensureFolder(folder);
    for (const file of readdirSync(folder)) {
      if (!open.has(basename(file, ".env"))) rmSync(join(folder, file), { force: true });
    }
  }

  /** A run whose plan is gone, or is not to be read: its agent is stopped, and it has failed. */
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

  #answered(name: string, request: string): Fired | undefined {
    const run = readRuns(this.#context.paths, name).find((each) => each.request === request);
    if (run === undefined) return undefined;
    return run.outcome === "skipped" ? { skipped: run.reason ?? "" } : { runId: run.id };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
