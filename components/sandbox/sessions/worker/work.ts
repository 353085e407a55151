import type { DurableObjectState, Fetcher } from "cloudflare:workers";
import type { EventBody } from "../protocol.ts";
import type { Outcome, RunEvent } from "../runner-protocol.ts";
import { begin, type Entry, end, processing, RequestError, setStatus } from "./queue.ts";
import type { Runner } from "./runner.ts";
import { now, type SessionState } from "./state.ts";

/** How soon an alarm wakes the object up again while there is work, even if its process ends; milliseconds. */
const watchdogMs = 10_000;
/** How long an alarm waits for the work, so that the object stays in memory; milliseconds. */
const alarmMs = 8_000;
const longestPauseMs = 2_000;
/** How many times an unconnected runner is called before the object leaves memory, and when it is called again. */
const offlineTries = 5;
const offlineMs = 60_000;
/** How soon the directory is informed of a session's last use, in milliseconds. Each report is a write to disk. */
const reportMs = 1_000;

/** Does a session's work, one job after another: starts its sandbox, has its messages executed, and so on. */
export class Work {
  readonly #ctx: DurableObjectState;
  readonly #state: SessionState;
  readonly #runner: Runner;
  readonly #directory: Fetcher;
  #running: Promise<void> | undefined;
  #alarmAt = 0;
  #reported = "";
  #reportSoon: Promise<void> | undefined;
  /** Aborts the connection to the current run. */
  #following = new AbortController();

  constructor(ctx: DurableObjectState, state: SessionState, runner: Runner, directory: Fetcher) {
    this.#ctx = ctx;
    this.#state = state;
    this.#runner = runner;
    this.#directory = directory;
  }

  /** Starts the work, unless it is running or there is none. */
  kick(): void {
    if (this.#state.exists && this.#state.row.updatedAt !== this.#reported) this.#reportLater();
    if (this.#next() === undefined) return;
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined;
    });
    this.#ctx.waitUntil(this.#running);
  }

  /** The session was terminated, so the current run is no longer of interest. */
  stopFollowing(): void {
    this.#following.abort();
  }

  async onAlarm(): Promise<void> {
    this.#alarmAt = 0;
    this.kick();
    if (this.#running === undefined) return;
    await Promise.race([this.#running, sleep(alarmMs)]);
    // A run may take hours.
    if (this.#running !== undefined) await this.#watch();
  }

  #reportLater(): void {
    this.#reportSoon ??= (async () => {
      await sleep(reportMs);
      this.#reportSoon = undefined;
      if (this.#state.row.isReported) await this.#report().catch(() => {});
    })();
    this.#ctx.waitUntil(this.#reportSoon);
  }

  async #loop(): Promise<void> {
    let failures = 0;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      try {
        await this.#watch();
        this.#following = new AbortController();
        await job();
        failures = 0;
      } catch (error) {
        const isOffline = error instanceof RequestError && error.code === "unavailable";
        if (isOffline && failures >= offlineTries) return await this.#waitForRunner();
        // The runner or the directory can't be reached, probably because it is being restarted.
        await sleep(Math.min(longestPauseMs, 50 * 2 ** failures++));
      }
    }
  }

  /** The runner's machine is off, perhaps for days. The link wakes this session up as soon as it is back. */
  async #waitForRunner(): Promise<void> {
    if (!this.#state.row.isReported) await this.#report().catch(() => {});
    this.#alarmAt = Date.now() + offlineMs;
    await this.#ctx.storage.setAlarm(this.#alarmAt);
  }

  /** Sets an alarm that continues the work if this object, or its process, ends. */
  async #watch(): Promise<void> {
    const at = Date.now();
    if (this.#alarmAt > at && this.#alarmAt <= at + watchdogMs) return;
    this.#alarmAt = at + watchdogMs;
    await this.#ctx.storage.setAlarm(this.#alarmAt);
  }

  #next(): (() => Promise<void>) | undefined {
    if (!this.#state.exists) return undefined;
    const { row, queue } = this.#state;
    const current = processing(queue);
    if (row.status === "terminated") {
      if (!row.isCleaned) return () => this.#clean();
    } else if (!row.isReady) {
      return () => this.#start();
    } else if (current !== undefined) {
      return () => this.#execute(current);
    } else if (row.status === "running" && queue.open.length > 0) {
      return async () => this.#begin();
    }
    return row.isReported ? undefined : () => this.#report();
  }

  #begin(): void {
    const change = begin(this.#state.queue, now());
    if (change !== undefined) this.#state.commit({ change });
  }

  async #start(): Promise<void> {
    const state = this.#state;
    const { id: session, changeling, branch, startSeen: from, epoch } = state.row;
    const request = { kind: "start", session, changeling, branch, from, epoch } as const;
    for await (const line of this.#runner.run(state.startKey, request, this.#following.signal)) {
      if (state.row.status === "terminated") return;
      if (line.line === "epoch") this.#learnEpoch(line.epoch);
      else if (line.line === "outcome") this.#started(line.outcome);
      else {
        const events = line.event.type === "progress" ? [line.event] : [];
        state.commit({ events, row: { startSeen: state.row.startSeen + 1 } });
      }
    }
    this.#taken(state.startKey);
  }

  #started(outcome: Outcome): void {
    if (outcome.state === "done") {
      const { answer: branch } = outcome;
      this.#state.commitVisibly({ events: [{ type: "ready", branch }], row: { isReady: true, branch } });
      return;
    }
    const reason = outcome.state === "cancelled" ? "its start was cancelled" : outcome.failure.message;
    const change = setStatus(this.#state.queue, { status: "terminated", by: "the service", at: now(), reason });
    this.#state.commitVisibly({ change, row: { reason } });
  }

  /** Executes the attempt, or after a crash attaches to its execution. */
  async #execute(entry: Entry): Promise<void> {
    const state = this.#state;
    const { id: session, epoch, limits, used } = state.row;
    const request = {
      ...({ kind: "prompt", session, epoch } as const),
      ...{ text: entry.text, from: state.progressOf(entry).seen },
      timeoutSeconds: limits.minutes === undefined ? undefined : Math.ceil((limits.minutes - used.minutes) * 60),
      budgetUsd: limits.costUsd === undefined ? undefined : limits.costUsd - used.costUsd,
    };
    for await (const line of this.#runner.run(state.keyOf(entry), request, this.#following.signal)) {
      const current = processing(state.queue);
      // The session was terminated.
      if (current?.id !== entry.id || current.attempt !== entry.attempt) break;
      if (line.line === "epoch") this.#learnEpoch(line.epoch);
      else if (line.line === "event") this.#take(entry, line.event);
      else this.#finish(entry, line.outcome);
    }
    if (processing(state.queue)?.id !== entry.id) this.#taken(state.keyOf(entry));
  }

  #take(entry: Entry, event: RunEvent): void {
    const before = this.#state.progressOf(entry);
    const { message, attempt } = before;
    const isText = event.type === "text";
    const events = event.type === "progress" ? [] : [eventOf(event, { message, attempt }, before.length)];
    const progress = {
      ...{ message, attempt, seen: before.seen + 1 },
      length: before.length + (isText ? event.text.length : 0),
      costUsd: before.costUsd + (event.type === "cost" ? event.usd : 0),
    };
    this.#state.commit({ events, row: { progress } });
  }

  #finish(entry: Entry, outcome: Outcome): void {
    const { costUsd } = this.#state.progressOf(entry);
    const change = end(this.#state.queue, entry, { outcome, costUsd, at: now() });
    if (change !== undefined) this.#state.commitVisibly({ change });
    // In the same write to disk as the end of the last message.
    this.#begin();
  }

  #learnEpoch(epoch: string): void {
    if (this.#state.row.epoch !== epoch) this.#state.commit({ row: { epoch } });
  }

  /** Lets the runner drop the run's events. */
  #taken(key: string): void {
    this.#ctx.waitUntil(this.#runner.taken(key).catch(() => {}));
  }

  async #clean(): Promise<void> {
    await this.#runner.terminate(this.#state.row.id);
    this.#state.commit({ row: { isCleaned: true } });
  }

  async #report(): Promise<void> {
    const { summary } = this.#state;
    const body = JSON.stringify(summary);
    const response = await this.#directory.fetch("http://directory/report", { method: "POST", body });
    if (!response.ok) throw new Error(`the directory answers with ${response.status}`);
    this.#reported = summary.updatedAt;
    const { isReported, status, isAsleep } = this.#state.row;
    if (!isReported && status === summary.status && isAsleep === summary.isAsleep) {
      this.#state.commit({ row: { isReported: true } });
    }
  }
}

function eventOf(
  event: Exclude<RunEvent, { type: "progress" }>,
  of: { readonly message: number; readonly attempt: number },
  offset: number,
): EventBody {
  return event.type === "text" ? { ...of, ...event, offset } : { ...of, ...event };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
