import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { jobPath, writeJob } from "../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../components/cron/local/job.ts";
import { readRuns, waitForRun } from "../../components/cron/local/records.ts";
import { requestRun } from "../../components/cron/local/requests.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import type { RecordedRun } from "../../components/cron/run-records.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { compileCache } from "./compile-cache.ts";
import { fillOnce } from "./made-once.ts";

const program = fileURLToPath(new URL("../../components/cron/local/main.ts", import.meta.url));
const faults = fileURLToPath(new URL("faults.ts", import.meta.url));
const fakeMngr = fileURLToPath(new URL("fake-mngr.ts", import.meta.url));

/** A home with a git repository, for schedulers and their agents, isolated from the machine's own. */
export class SchedulerLab {
  readonly home: string;
  readonly repo: string;
  /** The whole environment of its programs. This process uses it too, since clients start programs. */
  readonly env: Record<string, string>;
  readonly #schedulers = new Set<ChildProcess>();

  /** @param mngr the real one, which must be on PATH, or the fake in this folder */
  constructor(mngr: "real" | "fake") {
    // Short, because paths of tmux sockets are limited.
    this.home = mkdtempSync(join(tmpdir(), "lab-"));
    this.repo = join(this.home, "repo");
    for (const folder of ["bin", "tmux", "repo"]) mkdirSync(join(this.home, folder));
    if (mngr === "fake") {
      mkdirSync(join(this.home, "fake-mngr", "agents"), { recursive: true });
      // Schedulers pass no cache on to mngr, and without one Node would compile the fake again for each call.
      const cached = `NODE_COMPILE_CACHE='${process.env["NODE_COMPILE_CACHE"] ?? ""}'`;
      const program = `#!/bin/sh\n${cached} exec '${process.execPath}' '${fakeMngr}' "$@"\n`;
      writeFileSync(join(this.home, "bin", "mngr"), program, { mode: 0o755 });
    }
    this.env = {
      PATH: [join(this.home, "bin"), process.env["PATH"]].join(delimiter),
      HOME: this.home,
      LANG: "C.UTF-8",
      TMUX_TMPDIR: join(this.home, "tmux"),
      MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
    };
    fillOnce(this.repo, "scheduler-lab", (folder) => {
      const git = (...args: string[]) => this.git("-C", folder, ...args);
      git("init", "--quiet", "--initial-branch=main");
      const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
      git(...who, "commit", "--quiet", "--allow-empty", "--message", "First");
    });
  }

  /** Removes its agents, schedulers and files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#schedulers].map((each) => this.kill(each)));
    for (const id of this.#fakeAgents()) {
      const { pid } = JSON.parse(readFileSync(join(this.home, "fake-mngr", "agents", id), "utf8"));
      if (pid > 0) tryKill(-pid);
    }
    try {
      execFileSync("tmux", ["kill-server"], { env: this.env, stdio: "ignore" });
    } catch {
      // No agent was ever started.
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  #fakeAgents(): string[] {
    const folder = join(this.home, "fake-mngr", "agents");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  git(...args: string[]): string {
    return execFileSync("git", args, { cwd: this.repo, env: this.env, encoding: "utf8" }).trim();
  }

  /** Configures the fake; see fake-mngr.ts. */
  wish(file: string, content: string): void {
    writeFileSync(join(this.home, "fake-mngr", file), content);
  }

  /** The subcommands of all calls to the fake. */
  calls(): string[] {
    const path = join(this.home, "fake-mngr", "calls.jsonl");
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)[0]);
  }

  installation(id = "lab"): Installation {
    return new Installation(this, id);
  }

  /** The agents created by the fake. */
  agents(): { id: string; name: string; pid: number; isStopped: boolean }[] {
    const folder = join(this.home, "fake-mngr", "agents");
    return this.#fakeAgents().map((id) => JSON.parse(readFileSync(join(folder, id), "utf8")));
  }

  /**
   * Starts a scheduler, and waits until it is ready.
   * @param fault to inject, and when; see faults.ts
   */
  async start(installation: string, fault?: string): Promise<ChildProcess> {
    const preload = fault === undefined ? [] : ["--import", faults];
    const child = spawn(process.execPath, [...preload, program, installation], {
      cwd: "/",
      env: { ...this.env, ...compileCache, ...(fault === undefined ? {} : { FAULT: fault }) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.#schedulers.add(child);
    const paths = installationPaths(installation, this.home);
    await eventually("the scheduler is ready", () => {
      if (child.exitCode !== null) throw new Error(`the scheduler ended with exit status ${child.exitCode}`);
      return schedulerState(paths).pid === child.pid ? true : undefined;
    });
    return child;
  }

  /** Ends it like a crash. */
  async kill(scheduler: ChildProcess): Promise<void> {
    this.#schedulers.delete(scheduler);
    if (scheduler.exitCode !== null || scheduler.signalCode !== null) return;
    const ended = once(scheduler, "exit");
    scheduler.kill("SIGKILL");
    await ended;
  }
}

export class Installation {
  readonly lab: SchedulerLab;
  readonly id: string;
  readonly paths: ReturnType<typeof installationPaths>;

  constructor(lab: SchedulerLab, id: string) {
    this.lab = lab;
    this.id = id;
    this.paths = installationPaths(id, lab.home);
  }

  spec(
    name: string,
    { agent, ...options }: Partial<Omit<JobSpec, "agent">> & { agent?: Partial<JobSpec["agent"]> } = {},
  ): JobSpec {
    return {
      name,
      enabled: true,
      schedule: "0 3 1 1 *",
      timezone: "UTC",
      catchUp: true,
      overlap: "skip",
      timeoutSeconds: 120,
      settleSeconds: 5,
      keepRuns: 5,
      repo: this.lab.repo,
      branch: "main",
      ...options,
      agent: { type: "todo", mngrType: "command", isConversational: false, args: [], buildArgs: [], env: {}, ...agent },
    };
  }

  /** Installs a job whose agent runs a shell script. @param agedMinutes how long ago */
  install(spec: JobSpec, agedMinutes = 0): void {
    writeJob(this.paths, spec);
    const time = Date.now() / 1000 - agedMinutes * 60;
    utimesSync(jobPath(this.paths, spec.name), time, time);
  }

  start(fault?: string): Promise<ChildProcess> {
    return this.lab.start(this.id, fault);
  }

  /** Fires a job and waits for the end of its run. */
  async run(name: string): Promise<RecordedRun> {
    return this.end(name, await this.fire(name));
  }

  async fire(name: string): Promise<string> {
    const fired = await requestRun(this.paths, name);
    if ("skipped" in fired) throw new Error(`${name} was skipped: ${fired.skipped}`);
    return fired.runId;
  }

  async end(name: string, id: string): Promise<RecordedRun> {
    await waitForRun(this.paths, name, id);
    return this.recorded(name, id);
  }

  recorded(name: string, id: string): RecordedRun {
    const run = readRuns(this.paths, name).find((each) => each.id === id);
    if (run === undefined) throw new Error(`there is no record of ${id}`);
    return run;
  }

  log(): string {
    return readFileSync(join(this.paths.scheduler, "scheduler.log"), "utf8");
  }
}

/** Waits until a value is available. */
export async function eventually<Value>(
  what: string,
  look: () => Value | undefined,
  patienceMs = 60_000,
): Promise<Value> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    if (Date.now() > until) throw new Error(`not within ${patienceMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has exited.
  }
}
