import { existsSync } from "node:fs";
import { basename } from "node:path";
import { ensureFolder, watchFolder } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import type { Log } from "../../host/log.ts";
import { messageOf } from "../../lib/as-error.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { type Mngr, mngrClient } from "../../mngr/client.ts";
import { mngrEnvironment, profileHostDir } from "../../mngr/profile.ts";
import type { Cause } from "../run-records.ts";
import { JobStore } from "./installed-files.ts";
import type { JobSpec } from "./job.ts";
import { RequestInbox } from "./request-inbox.ts";
import type { Answer, Request } from "./requests.ts";
import { AgentPoll } from "./runs/agent-poll.ts";
import { recentDues, whyTooLate } from "./runs/due-times.ts";
import { RunKeeper } from "./runs/run-keeper.ts";
import { type DueJob, isMissed, Timetable } from "./timetable.ts";

/**
 * The clock is checked this often however far away the next due time is, because it may be set or the machine may
 * sleep.
 */
const longestWaitMs = 60_000;
/** Collects the file events of one change. */
const debounceMs = 50;

/** Fires the jobs of one installation when they are due or requested. One timer serves all jobs. */
export class Scheduler {
  readonly #paths: InstallationPaths;
  readonly #log: Log;
  readonly #store: JobStore;
  readonly #timetable = new Timetable();
  readonly #runs: RunKeeper;
  readonly #inbox: RequestInbox;
  readonly #exit: (reason: string) => void;
  readonly #unwatch: (() => void)[] = [];
  /** By changeling: due times that could not be recorded, for instance on a full disk. */
  readonly #unrecorded = new Map<string, DueJob>();
  #timer: NodeJS.Timeout | undefined;
  #filesTimer: NodeJS.Timeout | undefined;

  /** @param exit called after all runs have ended on request, or when its installation is gone */
  constructor(paths: InstallationPaths, env: NodeJS.ProcessEnv, log: Log, exit: (reason: string) => void) {
    this.#paths = paths;
    this.#log = log;
    this.#exit = exit;
    this.#store = new JobStore(paths);
    this.#inbox = new RequestInbox(paths, (request, id) => this.#handle(request, id));
    const context = {
      installation: basename(paths.root),
      paths,
      env: mngrEnvironment(env),
      log,
      poll: new AgentPoll(log),
      ...mngrs(env),
    };
    this.#runs = new RunKeeper(context, (name) => this.#store.get(name)?.spec);
  }

  start(): void {
    for (const folder of [this.#paths.jobs, this.#paths.requests]) {
      ensureFolder(folder);
      this.#unwatch.push(watchFolder(folder, () => this.#onFiles()));
    }
    this.#inbox.sweep();
    this.#readJobs();
    this.#runs.adopt();
    this.#runs.endRemoved((name) => this.#store.has(name));
    this.#runs.adoptQueued(this.#store.jobs().map(({ spec }) => spec.name));
    this.#log(`started with ${this.#store.jobs().length} jobs`);
    this.#tick();
  }

  /** Does not end the runs; the next scheduler resumes them. */
  stop(): void {
    for (const unwatch of this.#unwatch) unwatch();
    clearTimeout(this.#timer);
    clearTimeout(this.#filesTimer);
  }

  #tick(): void {
    if (!existsSync(this.#paths.jobs)) this.#exit("its installation is gone");
    this.#readJobs();
    this.#inbox.poll();
    const now = Date.now();
    const due = new Map(this.#unrecorded);
    this.#unrecorded.clear();
    for (const each of this.#timetable.takeDue(now)) due.set(each.name, each);
    for (const each of due.values()) this.#onDue({ ...each, isMissed: isMissed(each.due, now) });
    clearTimeout(this.#timer);
    const wait = Math.min(Math.max(this.#timetable.nextDue() - Date.now(), 0), longestWaitMs);
    this.#timer = setTimeout(() => this.#tick(), wait);
  }

  #onFiles(): void {
    clearTimeout(this.#filesTimer);
    this.#filesTimer = setTimeout(() => this.#tick(), debounceMs);
  }

  #readJobs(): void {
    if (!this.#store.refresh()) return;
    const jobs = this.#store.jobs();
    const present = new Set(jobs.map(({ spec }) => spec.name));
    for (const name of this.#timetable.names()) if (!present.has(name)) this.#timetable.delete(name);
    for (const { spec, installedAt } of jobs) {
      try {
        const handled = recentDues(this.#paths, spec.name);
        this.#timetable.set(spec, Math.max(installedAt, ...handled), handled);
      } catch (error) {
        this.#timetable.delete(spec.name);
        this.#log(`${spec.name} is not scheduled: ${messageOf(error)}`);
      }
    }
    for (const { name, problem } of this.#store.problems()) this.#log(`${name} is not scheduled: ${problem}`);
  }

  #onDue(job: DueJob): void {
    const { name, due, isMissed } = job;
    const spec = this.#store.get(name)?.spec;
    if (spec?.enabled !== true) return;
    const time = new Date(due).toISOString();
    const scheduled: Cause = { kind: "schedule", due: time };
    const reason = isMissed ? whyNotCaughtUp(spec, scheduled) : undefined;
    this.#attempt(job, async () => {
      if (reason !== undefined) this.#runs.skip(name, scheduled, reason);
      else await this.#runs.fire(spec, isMissed ? { kind: "catch_up", due: time } : scheduled);
    });
  }

  /** A due time that can't be recorded stays due until it can, or until the next due time replaces it. */
  #attempt(job: DueJob, work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      if (!this.#unrecorded.has(job.name)) this.#unrecorded.set(job.name, job);
      this.#log(`${job.name} could not be fired and is retried: ${messageOf(error)}`);
    });
  }

  async #handle(request: Request, id: string): Promise<Answer> {
    switch (request.kind) {
      case "run": {
        this.#readJobs();
        const job = this.#store.get(request.name);
        if (job === undefined) return { error: this.#whyUnknown(request.name) };
        const fired = await this.#runs.fire(job.spec, { kind: "manual" }, id);
        return "queued" in fired ? { error: "it was queued" } : fired;
      }
      case "remove":
        this.#store.forget(request.name);
        this.#timetable.delete(request.name);
        this.#unrecorded.delete(request.name);
        await this.#runs.remove(request.name, "its changeling was removed while it was running");
        return { done: true };
      case "stop":
        await this.#runs.close("its scheduler was removed while it was running");
        setImmediate(() => this.#exit("it was asked to stop"));
        return { done: true };
    }
  }

  #whyUnknown(name: string): string {
    const known = this.#store.problems().find((each) => each.name === name);
    return known?.problem ?? `the scheduler has no job "${name}"; install it with: ${upCommand()}`;
  }
}

/** Why a missed due time is not caught up; undefined if it is. */
function whyNotCaughtUp(spec: JobSpec, cause: Cause): string | undefined {
  const why = "it came due while the scheduler was not running or the machine was asleep";
  if (!spec.catchUp) return `${why}, and catch_up is false`;
  const late = whyTooLate(spec, cause, Date.now());
  return late && `${why}, and ${late}`;
}

/** One client per mngr profile, so that its runs share one poll. A wrong version is checked again each time. */
function mngrs(env: NodeJS.ProcessEnv): {
  mngr: (profile: string | undefined) => Mngr;
  checkMngrVersion: (mngr: Mngr) => Promise<void>;
} {
  const clients = new Map<string | undefined, Mngr>();
  let checked: Promise<void> | undefined;
  return {
    mngr(profile) {
      const hostDir = profileHostDir(profile, env);
      const client = clients.get(profile) ?? mngrClient(mngrEnvironment(env, hostDir));
      clients.set(profile, client);
      return client;
    },
    checkMngrVersion(mngr) {
      checked ??= mngr.checkVersion().catch((error: unknown) => {
        checked = undefined;
        throw error;
      });
      return checked;
    },
  };
}
