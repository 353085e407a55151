import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../lib/as-error.ts";
import { SandboxError } from "../../provider.ts";
import { RuntimeError, type RuntimeEvent } from "../../runtimes/runtime.ts";
import type { Failure } from "../protocol.ts";
import type { Outcome, RunLine, RunRequest } from "../runner-protocol.ts";
import type { Records } from "./records.ts";
import { Redactor } from "./redact.ts";
import { RunLog } from "./run-log.ts";
import { isGone, type Sandboxes } from "./sandboxes.ts";

/** How long a run may take to end after it was aborted; milliseconds. */
const endMs = 5_000;

interface LiveRun {
  readonly session: string;
  readonly log: RunLog;
  readonly controller: AbortController;
  /** Why the run was aborted, unless it was cancelled. */
  failure?: Failure;
}

/** Executes runs, each key at most once, and repeats their results as often as they are requested. */
export class Runs {
  readonly #records: Records;
  readonly #sandboxes: Sandboxes;
  readonly #live = new Map<string, LiveRun>();
  /** The keys of runs that were cancelled before their requests arrived. */
  readonly #cancelled = new Set<string>();
  /** The end of the last run of each session: only one is executed at a time. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(records: Records, sandboxes: Sandboxes) {
    this.#records = records;
    this.#sandboxes = sandboxes;
  }

  /** Begins the run, or attaches to it, or repeats its outcome. */
  async *lines(key: string, request: RunRequest): AsyncGenerator<RunLine> {
    yield { line: "epoch", epoch: this.#records.epoch };
    const live = this.#live.get(key) ?? this.#beginOrFind(key, request);
    if ("log" in live) {
      for await (const event of live.log.from(request.from)) yield { line: "event", event };
      if (live.log.outcome !== undefined) yield { line: "outcome", outcome: live.log.outcome };
      return;
    }
    for (const event of live.events.slice(request.from)) yield { line: "event", event };
    if (live.outcome !== undefined) yield { line: "outcome", outcome: live.outcome };
  }

  /**
   * Aborts a run. Its outcome says whether it was aborted in time. A session may send this before the run's request, or
   * while it still tries to reach a runner that was restarted.
   */
  cancel(key: string): void {
    const live = this.#live.get(key);
    if (live !== undefined) live.controller.abort();
    else if (this.#records.run(key)?.outcome === undefined) this.#cancelled.add(key);
  }

  take(key: string): void {
    this.#records.takeRun(key);
  }

  isBusy(session: string): boolean {
    return [...this.#live.values()].some((run) => run.session === session);
  }

  /**
   * Aborts a session's runs. A runtime that ignores that ends with its sandbox.
   *
   * @param failure the reason that the runs report; by default they are reported as cancelled
   */
  async end(session: string, failure?: Failure): Promise<void> {
    for (const run of this.#live.values()) {
      if (run.session !== session) continue;
      if (failure !== undefined) run.failure = failure;
      run.controller.abort();
    }
    await Promise.race([this.#last.get(session), sleep(endMs)]);
  }

  #beginOrFind(key: string, request: RunRequest) {
    const record = this.#records.run(key);
    if (record?.outcome !== undefined) return record;
    // A start can be repeated: nobody has used its sandbox yet.
    if (record !== undefined && request.kind === "prompt") {
      return this.#interrupted(key, "the session service ended while it was executed");
    }
    if (record === undefined && request.epoch !== undefined && request.epoch !== this.#records.epoch) {
      this.#records.beginRun(key, request.session, request.kind);
      return this.#interrupted(key, "the records of the session service are gone, so it may have been executed before");
    }
    return this.#begin(key, request);
  }

  #interrupted(key: string, message: string): { readonly events: readonly []; readonly outcome: Outcome } {
    const outcome: Outcome = { state: "interrupted", failure: { code: "interrupted", message } };
    this.#cancelled.delete(key);
    this.#records.endRun(key, outcome, []);
    return { events: [], outcome };
  }

  #begin(key: string, request: RunRequest): LiveRun {
    const { session } = request;
    const changeling = request.kind === "start" ? request.changeling : this.#sandboxes.changelingOf(session);
    const secrets = resultOf(() => (changeling === undefined ? [] : this.#sandboxes.secretsOf(changeling)));
    const log = new RunLog(new Redactor(secrets instanceof Error ? [] : secrets));
    const run: LiveRun = { session, log, controller: new AbortController() };
    if (this.#cancelled.delete(key)) run.controller.abort();
    // From now on, this key is never executed again.
    this.#records.beginRun(key, session, request.kind);
    this.#live.set(key, run);
    const before = this.#last.get(session) ?? Promise.resolve();
    const ended = before.then(() =>
      this.#execute(key, run, () => {
        // Its output could not be redacted.
        if (secrets instanceof Error) throw secrets;
        return request.kind === "start" ? this.#start(request, run) : this.#prompt(request, run);
      }),
    );
    this.#last.set(session, ended);
    void ended.then(() => {
      if (this.#last.get(session) === ended) this.#last.delete(session);
    });
    return run;
  }

  /** Never rejects. */
  async #execute(key: string, run: LiveRun, work: () => Promise<string>): Promise<void> {
    const { session, log, controller } = run;
    let outcome: Outcome;
    try {
      controller.signal.throwIfAborted();
      outcome = { state: "done", answer: await work() };
    } catch (error) {
      if (isGone(error) || (error instanceof RuntimeError && error.code === "sandbox_gone")) {
        this.#sandboxes.forget(session);
      }
      const isCancelled = error instanceof RuntimeError ? error.code === "cancelled" : controller.signal.aborted;
      const failure = run.failure ?? (isCancelled ? undefined : failureOf(error));
      outcome = failure === undefined ? { state: "cancelled" } : { state: "failed", failure };
    }
    log.end(outcome);
    // Stored before readers, which are woken up after this, see the outcome.
    this.#records.endRun(key, log.outcome ?? outcome, log.events);
    this.#live.delete(key);
  }

  #start(request: RunRequest & { kind: "start" }, { log, controller: { signal } }: LiveRun): Promise<string> {
    const { session, changeling, branch } = request;
    const onProgress = (text: string) => log.add({ type: "progress", text });
    return this.#sandboxes.start(session, { changeling, branch, signal, onProgress });
  }

  async #prompt(request: RunRequest & { kind: "prompt" }, { log, controller: { signal } }: LiveRun): Promise<string> {
    const { session, text, timeoutSeconds, budgetUsd } = request;
    const onEvent = (event: RuntimeEvent) => {
      if (event.type === "state") this.#records.saveState(session, event.state);
      else log.add(event);
    };
    const lost = "the sandbox was lost; its files are those of its last snapshot";
    const onLost = () => log.add({ type: "notice", text: lost });
    const options = { signal, timeoutSeconds, budgetUsd, onEvent };
    return await this.#sandboxes.use(session, (sandbox) => sandbox.prompt(text, options), { signal, onLost });
  }
}

function resultOf<Result>(work: () => Result): Result | Error {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function failureOf(error: unknown): Failure {
  const message = messageOf(error);
  if (error instanceof RuntimeError) return { code: error.code, message };
  if (isGone(error)) return { code: "sandbox_gone", message };
  if (error instanceof SandboxError) return { code: "sandbox_failed", message };
  return { code: "runtime_failed", message };
}
