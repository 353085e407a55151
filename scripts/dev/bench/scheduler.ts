import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeJob } from "../../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../../components/cron/local/job.ts";
import { startScheduler, stopScheduler } from "../../../components/cron/local/supervise.ts";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { type Measure, timed } from "./measure.ts";

const jobs = 300;
const idleSeconds = 120;

/** The scheduler with 300 jobs: its memory, its wakeups while nothing is due, and its delay before it starts mngr. */
export async function* schedulerMeasures(folder: string): AsyncGenerator<Measure> {
  const { rssMegabytes, wakeupsPerMinute, startSeconds } = await measureScheduler(folder);
  yield { name: `scheduler with ${jobs} jobs: memory`, value: rssMegabytes, unit: "MB", bar: 100 };
  if (wakeupsPerMinute !== undefined) {
    yield { name: "scheduler: wakeups while nothing is due", value: wakeupsPerMinute, unit: "per minute", bar: 2 };
  }
  yield { name: "scheduler: from the fire time to mngr being started", value: startSeconds, unit: "s", bar: 1 };
}

interface SchedulerFigures {
  readonly rssMegabytes: number;
  /** Undefined if the system does not count them (macOS). */
  readonly wakeupsPerMinute: number | undefined;
  readonly startSeconds: number;
}

/** @param folder is created; the caller removes it */
async function measureScheduler(folder: string): Promise<SchedulerFigures> {
  const repo = join(folder, "repo");
  const bin = join(folder, "bin");
  for (const each of [repo, bin]) mkdirSync(each, { recursive: true });
  const started = join(folder, "mngr-started");
  // Records when it was started, and reports its version. It creates no agent.
  const mngr = `#!/bin/sh\ncase $1 in\n  create) : >"${started}" ;;\n  --version) echo 'mngr 0.3.0' ;;\nesac\n`;
  writeFileSync(join(bin, "mngr"), mngr, { mode: 0o755 });
  const env = {
    ...process.env,
    HOME: folder,
    PATH: [bin, process.env["PATH"]].join(delimiter),
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  const git = (...args: string[]) => timed("git", args, { cwd: repo, env });
  await git("init", "--quiet", "--initial-branch=main");
  await git("-c", "user.name=Bench", "-c", "user.email=bench@example.com", "commit", "--allow-empty", "--message", "1");

  const paths = installationPaths("bench", folder);
  for (let n = 0; n < jobs; n += 1) writeJob(paths, job(`job-${n}`, repo, "0 0 1 1 *"));
  const { pid } = await startScheduler("bench", folder, env);
  try {
    await sleep(5000);
    const wakeupsPerMinute = await countWakeups(pid);
    const rssMegabytes = await residentMegabytes(pid);
    // Installed in the first half of a minute, it is registered long before it is due.
    const now = Date.now();
    const due = (Math.floor((now + 30_000) / 60_000) + 1) * 60_000;
    const date = new Date(due);
    writeJob(paths, job("due", repo, `${date.getUTCMinutes()} ${date.getUTCHours()} * * *`));
    await until("mngr is started", 120, () => existsSync(started));
    return {
      rssMegabytes,
      wakeupsPerMinute,
      startSeconds: (statSync(started).mtimeMs - due) / 1000,
    };
  } finally {
    await stopScheduler("bench", { endRuns: false }, folder);
  }
}

function job(name: string, repo: string, schedule: string): JobSpec {
  return {
    name,
    enabled: true,
    schedule,
    timezone: "UTC",
    catchUp: true,
    overlap: "skip",
    timeoutSeconds: 3600,
    settleSeconds: 60,
    keepRuns: 5,
    repo,
    branch: "main",
    agent: { type: "command", mngrType: "command", isConversational: false, args: ["true"], buildArgs: [], env: {} },
  };
}

/** Counts the seconds of a minute in which its main thread woke up: one wakeup may block and resume several times. */
async function countWakeups(pid: number): Promise<number | undefined> {
  let before = switchesOf(pid);
  if (before === undefined) return undefined;
  let wakeups = 0;
  for (let second = 0; second < idleSeconds; second += 1) {
    await sleep(1000);
    const now = switchesOf(pid);
    if (now !== before) wakeups += 1;
    before = now;
  }
  return (wakeups * 60) / idleSeconds;
}

/** How often the main thread has blocked so far. */
function switchesOf(pid: number): number | undefined {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return undefined;
  return Number(readFileSync(status, "utf8").match(/^voluntary_ctxt_switches:\s+(\d+)$/m)?.[1]);
}

/** A process's resident memory, in megabytes. */
export async function residentMegabytes(pid: number): Promise<number> {
  const child = spawn("ps", ["-o", "rss=", "-p", String(pid)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  return Number(output) / 1024;
}

async function until(what: string, seconds: number, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !isSo(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
  }
}
