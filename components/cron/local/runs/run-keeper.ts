import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobSpec } from "../job.ts";
import type { RecordLine } from "../record-line.ts";
import { appendRecord, readRuns, recentLines } from "../records.ts";
import type { Cause } from "../run.ts";
import type { RunContext } from "./context.ts";
import { branchExists, gitIn } from "./git.ts";
import { performRun } from "./perform.ts";
import { branchOf, envFolder, type RunPlan, readPlan, runFiles, writePlan } from "./plan.ts";
import { prune } from "./prune.ts";
import { repositoryFolder } from "./repository.ts";
import { claimRunId, openRunIds, releaseRunId, runId } from "./run-ids.ts";

/** How far back it is looked for what was fired, skipped or queued last. */
const recentOccasions = 20;

/** What became of an occasion to fire. */
export type Fired = { readonly runId: string } | { readonly skipped: string } | { readonly queued: true };

interface OpenRun {
  /** Undefined for the few milliseconds in which it gets one. */
  id: string | undefined;
  readonly interruption: AbortController;
  end: Promise<void>;
}

/** All runs of a scheduler: fires them, at most one per changeling at a time, and takes up those that a crash left. */
export class RunKeeper {
  readonly #context: RunContext;
  /** By changeling. */
  readonly #open = new Map<string, OpenRun>();
  /** By changeling: it fires once the open one has ended. */
  readonly #queued = new Map<string, Cause>();
  readonly #tidying = new Map<string, Promise<void>>();
  readonly #lastIdAt = new Map<string, number>();
  /** The job as it is now, when a queued run's turn has come. */
  readonly #currentSpec: (name: string) => JobSpec | undefined;
  #isClosing = false;

  constructor(context: RunContext, currentSpec: (name: string) => JobSpec | undefined) {
    this.#context = context;
    this.#currentSpec = currentSpec;
  }

  /** Takes up the runs that were open when the last scheduler ended. Call once, first. */
  adopt(): void {
    rmSync(envFolder(this.#context.paths), { recursive: true, force: true });
    for (const { id, changeling } of openRunIds(this.#context.paths)) {
      const recorded = readRuns(this.#context.paths, changeling).find((run) => run.id === id);
      const plan = readPlan(runFiles(this.#context.paths, changeling, id));
      if (recorded === undefined || recorded.outcome !== undefined) releaseRunId(this.#context.paths, id);
      else if (plan === undefined) this.#giveUp(id, changeling);
      else {
        this.#context.log(`${id}: taken up again`);
        this.#perform(plan, { id, interruption: new AbortController(), end: Promise.resolve() });
      }
    }
  }

  /** A changeling whose queued run was not yet fired when the last scheduler ended. */
  adoptQueued(name: string): void {
    const occasions = this.#recentOccasions(name);
    const queued = occasions.find(({ event }) => event === "queued");
    if (queued === undefined || occasions.some(({ event, cause }) => event !== "queued" && isSame(cause, queued.cause)))
      return;
    this.#queued.set(name, queued.cause);
    if (!this.#open.has(name)) void this.#fireQueued(name);
  }

  /** The last due time that was fired, skipped or queued. Milliseconds since 1970; -Infinity when there was none. */
  lastDue(name: string): number {
    const causes = this.#recentOccasions(name).map(({ cause }) => cause);
    return Math.max(
      ...causes.map((cause) => (cause.kind === "manual" ? Number.NEGATIVE_INFINITY : Date.parse(cause.due))),
    );
  }

  get openCount(): number {
    return this.#open.size;
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
    const run: OpenRun = { id: undefined, interruption: new AbortController(), end: Promise.resolve() };
    this.#open.set(spec.name, run);
    try {
      const plan = await this.#record(spec, cause, request);
      run.id = plan.id;
      this.#perform(plan, run);
      return { runId: plan.id };
    } catch (error) {
      this.#open.delete(spec.name);
      throw error;
    }
  }

  /** Records an occasion that was not taken. */
  skip(name: string, cause: Cause, reason: string, request?: string): { readonly skipped: string } {
    const at = new Date();
    const id = runId(name, this.#nextIdTime(name, at.getTime()));
    const asked = request === undefined ? {} : { request };
    const line = { event: "skipped", at: at.toISOString(), changeling: name, id, cause, reason, ...asked } as const;
    appendRecord(this.#context.paths, line);
    this.#context.log(`${id}: skipped (${reason})`);
    return { skipped: reason };
  }

  /** Ends what runs of a changeling, and drops what is queued. Returns once it has ended. */
  async interrupt(name: string, reason: string): Promise<void> {
    this.#queued.delete(name);
    const open = this.#open.get(name);
    open?.interruption.abort(reason);
    await open?.end;
  }

  /** Ends all runs; none is fired any more. */
  async close(reason: string): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#open.keys()].map((name) => this.interrupt(name, reason)));
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
    appendRecord(this.#context.paths, { event: "queued", at: new Date().toISOString(), changeling: spec.name, cause });
    this.#queued.set(spec.name, cause);
    this.#context.log(`${spec.name}: queued behind ${running}`);
    return { queued: true };
  }

  async #fireQueued(name: string): Promise<void> {
    const cause = this.#queued.get(name);
    this.#queued.delete(name);
    if (cause === undefined || this.#isClosing) return;
    const spec = this.#currentSpec(name);
    if (spec?.enabled !== true) {
      this.skip(name, cause, "it was paused or removed while this run was queued");
      return;
    }
    await this.fire(spec, cause).catch((error: unknown) => this.#context.log(`${name}: ${messageOf(error)}`));
  }

  async #record(spec: JobSpec, cause: Cause, request: string | undefined): Promise<RunPlan> {
    const { paths } = this.#context;
    const firedAt = new Date();
    const id = await this.#claimId(spec, firedAt.getTime());
    const plan = { id, firedAt: firedAt.toISOString(), spec };
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
        ...(request === undefined ? {} : { request }),
      });
    } catch (error) {
      releaseRunId(paths, id);
      throw error;
    }
    this.#context.log(`${id}: fired (${cause.kind}${cause.kind === "manual" ? "" : `, due ${cause.due}`})`);
    return plan;
  }

  /** An id that no open run of this machine has, and no branch of the repository. */
  async #claimId(spec: JobSpec, time: number): Promise<string> {
    const git = gitIn(repositoryFolder(this.#context.paths, spec.repo), this.#context.env);
    for (;;) {
      const id = runId(spec.name, this.#nextIdTime(spec.name, time));
      if (!claimRunId(this.#context.paths, id)) continue;
      // A repository that is not there (yet) has no such branch either.
      if (!(await branchExists(git, branchOf(id)))) return id;
      releaseRunId(this.#context.paths, id);
    }
  }

  /** Ids name seconds, and no second twice. */
  #nextIdTime(name: string, time: number): number {
    const last = this.#lastIdAt.get(name) ?? Number.NEGATIVE_INFINITY;
    const next = Math.max(Math.floor(time / 1000) * 1000, last + 1000);
    this.#lastIdAt.set(name, next);
    return next;
  }

  #perform(plan: RunPlan, run: OpenRun): void {
    const { name } = plan.spec;
    this.#open.set(name, run);
    run.end = this.#performToEnd(plan, run).finally(() => {
      this.#open.delete(name);
      void this.#fireQueued(name);
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
    for (;;) {
      try {
        const recorded = readRuns(paths, plan.spec.name).find(({ id }) => id === plan.id);
        if (recorded !== undefined) await performRun(plan, recorded, this.#context, run.interruption.signal);
        break;
      } catch (error) {
        // Its end could not be written down (a full disk): until it is, the run is not over.
        log(`${plan.id}: ${messageOf(error)}`);
        await sleep(60_000);
      }
    }
    releaseRunId(paths, plan.id);
  }

  #giveUp(id: string, changeling: string): void {
    const { paths } = this.#context;
    const reason = "it was interrupted, and its plan is gone";
    const at = new Date().toISOString();
    appendRecord(paths, { event: "ended", at, changeling, id, outcome: "failed", reason, commits: [] });
    releaseRunId(paths, id);
  }

  /** Newest first. A queued run may be fired after later occasions were skipped, so one line is not enough. */
  #recentOccasions(name: string): Extract<RecordLine, { cause: Cause }>[] {
    const occasions: Extract<RecordLine, { cause: Cause }>[] = [];
    for (const line of recentLines(this.#context.paths, name)) {
      if ("cause" in line) occasions.push(line);
      if (occasions.length === recentOccasions) break;
    }
    return occasions;
  }

  #answered(name: string, request: string): Fired | undefined {
    const run = readRuns(this.#context.paths, name).find((each) => each.request === request);
    if (run === undefined) return undefined;
    return run.outcome === "skipped" ? { skipped: run.reason ?? "" } : { runId: run.id };
  }
}

function isSame(a: Cause, b: Cause): boolean {
  return a.kind !== "manual" && b.kind !== "manual" && a.due === b.due;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
