import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jobPath, writeJob } from "../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../components/cron/local/job.ts";
import { readRuns } from "../../components/cron/local/records.ts";
import { Scheduler } from "../../components/cron/local/scheduler.ts";
import { type InstallationPaths, installationPaths } from "../../components/installation-paths.ts";

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

  it("of a job that was paused is passed over, and none from before it was resumed is made up for", async () => {
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

it("a scheduler whose installation is gone ends", async () => {
  scheduler.start();
  rmSync(paths.root, { recursive: true });
  exit.mockImplementation(() => {
    throw new Error("ended");
  });
  await expect(vi.advanceTimersByTimeAsync(60_000)).rejects.toThrow("ended");
  expect(exit).toHaveBeenCalledWith("its installation is gone");
});
