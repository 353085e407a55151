import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jobPath, writeJob } from "../../../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../../../components/cron/local/job.ts";
import { appendRecord, readLines, readRuns } from "../../../../components/cron/local/records.ts";
import { waitingOf } from "../../../../components/cron/local/runs/due-times.ts";
import { Scheduler } from "../../../../components/cron/local/scheduler.ts";
import { maxRunsAtOnce, writeSettings } from "../../../../components/cron/local/settings.ts";
import { type InstallationPaths, installationPaths } from "../../../../components/host/installation-paths.ts";

/** The scheduler on a clock that the test moves. There is no mngr and no repository here: each run fails at once. */
let home: string;
let paths: InstallationPaths;
let scheduler: Scheduler;
let exit: ReturnType<typeof vi.fn<(reason: string) => void>>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
  vi.setSystemTime("2026-11-20T12:00:10Z");
  home = mkdtempSync(join(tmpdir(), "clock-"));
  paths = installationPaths("test", home);
  exit = vi.fn<(reason: string) => void>();
  scheduler = new Scheduler(paths, { PATH: "/nowhere", HOME: home }, () => {}, exit);
});
afterEach(() => {
  scheduler.stop();
  vi.useRealTimers();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

function install(name: string, options: Partial<JobSpec> = {}): void {
  writeJob(paths, {
    name,
    enabled: true,
    schedule: "0 3 * * *",
    timezone: "UTC",
    catchUp: true,
    overlap: "skip",
    timeoutSeconds: 60,
    settleSeconds: 60,
    keepRuns: 5,
    repo: join(home, "no-repo"),
    branch: "main",
    agent: { type: "a", mngrType: "command", isConversational: false, args: [], buildArgs: [], env: {} },
    ...options,
  });
  utimesSync(jobPath(paths, name), new Date(), new Date());
}

/** Lets the clock run, and counts how often the scheduler woke up. */
async function wakeupsUntil(time: string): Promise<number> {
  let wakeups = 0;
  while (Date.now() < Date.parse(time)) {
    await vi.advanceTimersToNextTimerAsync();
    wakeups += 1;
  }
  return wakeups;
}

const causes = (name: string) => readRuns(paths, name).map(({ cause }) => cause);
/** Recording a run takes real input and output. */
const recorded = (name: string, count = 1) =>
  vi.waitFor(() => expect(causes(name)).toHaveLength(count), { timeout: 5000 });

describe("a scheduler with 300 jobs", () => {
  it("has one timer, and wakes up once a minute while nothing is due", async () => {
    for (let n = 0; n < 300; n += 1) install(`job-${n}`, { schedule: `${n % 60} ${n % 5} * * *` });
    scheduler.start();
    expect(vi.getTimerCount()).toBe(1);
    expect(await wakeupsUntil("2026-11-20T14:00:10Z")).toBe(120);
    expect(vi.getTimerCount()).toBe(1);
    expect(readRuns(paths)).toEqual([]);
  });
});

describe("a due time", () => {
  it("is met to the millisecond", async () => {
    install("a", { schedule: "1 12 * * *" });
    scheduler.start();
    await wakeupsUntil("2026-11-20T12:01:00Z");
    expect(Date.now()).toBe(Date.parse("2026-11-20T12:01:00Z"));
    await recorded("a");
    expect(readRuns(paths, "a")[0]).toMatchObject({
      firedAt: "2026-11-20T12:01:00.000Z",
      cause: { kind: "schedule", due: "2026-11-20T12:01:00.000Z" },
    });
  });

  it("that passed while the machine slept is made up for within a minute, once, where that is declared", async () => {
    install("a");
    install("b", { catchUp: false });
    scheduler.start();
    vi.setSystemTime("2026-11-22T08:00:00Z");
    await vi.advanceTimersByTimeAsync(60_000);
    await recorded("a");
    await vi.advanceTimersByTimeAsync(600_000);
    const due = "2026-11-22T03:00:00.000Z";
    expect(causes("a")).toEqual([{ kind: "catch_up", due }]);
    expect(readRuns(paths, "b")).toMatchObject([{ outcome: "skipped", cause: { kind: "schedule", due } }]);
  });

  it("of a paused job is ignored, and not caught up after the job is resumed", async () => {
    install("a", { enabled: false });
    scheduler.start();
    await wakeupsUntil("2026-11-21T08:00:00Z");
    install("a");
    await wakeupsUntil("2026-11-21T09:00:00Z");
    expect(readRuns(paths)).toEqual([]);
    await wakeupsUntil("2026-11-22T03:00:00Z");
    await recorded("a");
    expect(causes("a")).toEqual([{ kind: "schedule", due: "2026-11-22T03:00:00.000Z" }]);
  });

  it("of a job that is gone is nobody's", async () => {
    install("a");
    scheduler.start();
    rmSync(jobPath(paths, "a"));
    await wakeupsUntil("2026-11-21T04:00:00Z");
    expect(readRuns(paths)).toEqual([]);
  });

  it("follows a changed schedule", async () => {
    install("a");
    scheduler.start();
    await wakeupsUntil("2026-11-20T13:00:00Z");
    install("a", { schedule: "30 13 * * *" });
    await wakeupsUntil("2026-11-20T13:30:00Z");
    await recorded("a");
    expect(causes("a")).toEqual([{ kind: "schedule", due: "2026-11-20T13:30:00.000Z" }]);
  });
});

describe("a due time that was missed", () => {
  it("is skipped, with the reason, when it is longer ago than catch_up_within", async () => {
    install("default", { schedule: "0 3 20 * *" });
    install("long", { schedule: "0 3 20 * *", catchUpWithinSeconds: 30 * 86_400 });
    install("short", { schedule: "0 7 * * *", catchUpWithinSeconds: 1800 });
    scheduler.start();
    vi.setSystemTime("2026-12-22T08:00:00Z");
    await vi.advanceTimersByTimeAsync(60_000);
    await recorded("long");
    const why =
      "it came due while the scheduler was not running or the machine was asleep, and that is longer ago than";
    expect(readRuns(paths, "default")).toMatchObject([
      { outcome: "skipped", reason: `${why} its catch_up_within of 24 h`, cause: { kind: "schedule" } },
    ]);
    expect(readRuns(paths, "short")).toMatchObject([
      { outcome: "skipped", reason: `${why} its catch_up_within of 30 min` },
    ]);
    expect(causes("long")).toEqual([{ kind: "catch_up", due: "2026-12-20T03:00:00.000Z" }]);
  });
});

describe("max_runs_at_once", () => {
  const names = Array.from({ length: 8 }, (_, n) => `job-${n}`);
  let log: string[];

  function startWith(most: number): void {
    log = [];
    writeSettings(paths, most);
    scheduler = new Scheduler(paths, { PATH: "/nowhere", HOME: home }, (event) => log.push(event), exit);
    scheduler.start();
  }
  const open = () =>
    log.filter((line) => / fired \(/.test(line)).length - log.filter((line) => / failed \(/.test(line)).length;

  it("limits the number of concurrent runs; the others wait in order, and their records say how long", async () => {
    for (const name of names) install(name, { schedule: "1 12 * * *" });
    startWith(3);
    let most = 0;
    vi.setSystemTime("2026-11-20T12:01:00Z");
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => {
      most = Math.max(most, open());
      expect(readRuns(paths).filter(({ outcome }) => outcome === "failed")).toHaveLength(names.length);
    }, 15_000);
    expect(most).toBeLessThanOrEqual(3);
    const lines = names.flatMap((name) => readLines(paths, name));
    expect(lines.filter(({ event }) => event === "queued")).toHaveLength(5);
    expect(readRuns(paths).filter(({ waitedSeconds }) => waitedSeconds !== undefined)).toHaveLength(5);
    const fired = log.filter((line) => / fired \(/.test(line)).map((line) => line.replace(/-\d{4}-.*/, ""));
    expect(fired).toEqual(names);
  });

  it("shows what waits, and skips what waited for too long without making an agent", async () => {
    install("busy", { schedule: "1 12 * * *" });
    install("waits", { schedule: "1 12 * * *", catchUpWithinSeconds: 600 });
    const cause = { kind: "schedule", due: "2026-11-20T11:00:00.000Z" } as const;
    appendRecord(paths, { event: "queued", at: cause.due, changeling: "waits", cause });
    expect(waitingOf(paths, "waits")).toEqual({ changeling: "waits", cause, since: cause.due });
    startWith(1);
    await vi.waitFor(() => expect(readRuns(paths, "waits")).toHaveLength(1), 15_000);
    expect(readRuns(paths, "waits")).toMatchObject([
      {
        outcome: "skipped",
        agentId: undefined,
        reason:
          "it waited for other runs since 2026-11-20T11:00:00.000Z, and that is longer ago than its catch_up_within of 10 min",
      },
    ]);
    expect(waitingOf(paths, "waits")).toBeUndefined();
  });

  it("is by default the number of cores, at least 2", () => {
    expect(maxRunsAtOnce(paths)).toBe(Math.max(2, availableParallelism()));
    writeSettings(paths, 1);
    expect(maxRunsAtOnce(paths)).toBe(1);
    writeSettings(paths, undefined);
    expect(maxRunsAtOnce(paths)).toBe(Math.max(2, availableParallelism()));
  });
});

it("a scheduler whose installation is gone ends", async () => {
  scheduler.start();
  rmSync(paths.root, { recursive: true });
  exit.mockImplementation(() => {
    throw new Error("ended");
  });
  await expect(vi.advanceTimersByTimeAsync(60_000)).rejects.toThrow("ended");
  expect(exit).toHaveBeenCalledWith("its installation is gone");
});
