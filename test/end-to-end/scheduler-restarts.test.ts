import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { jobPath } from "../../components/cron/local/installed-files.ts";
import { appendRecord, readRuns } from "../../components/cron/local/records.ts";
import { requestRun } from "../../components/cron/local/requests.ts";
import { eventually, SchedulerLab } from "../support/scheduler-lab.ts";

const commit = 'echo "$$" > "$MARK" && git add . && git commit --quiet --message "Mark"';

describe("after a crash", () => {
  const lab = new SchedulerLab("fake");
  afterAll(() => lab[Symbol.asyncDispose]());

  it("a run whose agent was being created continues, and is not fired again", async () => {
    const at = lab.installation("creating");
    lab.wish("create-seconds", "3");
    at.install(at.spec("a", { agent: { script: commit, env: { MARK: "creating" } } }));
    const first = await at.start();
    const id = await at.fire("a");
    const output = join(at.paths.runs, "a", id, "create.pid");
    await eventually("mngr create has started", () => (existsSync(output) ? true : undefined));
    await lab.kill(first);
    lab.wish("create-seconds", "0");
    await at.start();
    expect(await at.end("a", id)).toMatchObject({ outcome: "succeeded", commits: [{ subject: "Mark" }] });
    expect(readRuns(at.paths, "a")).toHaveLength(1);
    expect(lab.calls().filter((call) => call === "create")).toHaveLength(1);
    expect(readdirSync(join(at.paths.scheduler, "env"))).toEqual([]);
  });

  it("a run whose changeling was removed meanwhile is ended", async () => {
    const at = lab.installation("removed");
    at.install(at.spec("a", { agent: { script: "sleep 600" } }));
    const first = await at.start();
    const id = await at.fire("a");
    await eventually("its agent is there", () => at.recorded("a", id).agentId);
    await lab.kill(first);
    rmSync(jobPath(at.paths, "a"));
    await at.start();
    const reason = "its changeling was removed while no scheduler was running";
    expect(await at.end("a", id)).toMatchObject({ outcome: "failed", reason });
  });

  it("a run whose claim was cut short by a full disk, and whose plan is gone, is ended with its agent", async () => {
    const at = lab.installation("cut");
    at.install(at.spec("a", { agent: { script: "sleep 600" } }));
    const first = await at.start();
    const id = await at.fire("a");
    await eventually("its agent is there", () => at.recorded("a", id).agentId);
    await lab.kill(first);
    writeFileSync(join(lab.home, ".changelings", ".run-ids", id), "");
    writeFileSync(join(at.paths.runs, "a", id, "run.json"), "");
    await at.start();
    const reason = "it was interrupted, and its plan is gone";
    expect(await at.end("a", id)).toMatchObject({ outcome: "failed", reason });
    expect(lab.agents().find(({ name }) => name === id)?.isStopped).toBe(true);
  });

  it("a run that was queued gets its turn", async () => {
    const at = lab.installation("queued");
    at.install(at.spec("a", { overlap: "queue", agent: { script: "true" } }));
    const first = await at.start();
    await at.run("a");
    await lab.kill(first);
    const cause = { kind: "schedule", due: new Date(Date.now() - 1000).toISOString() } as const;
    appendRecord(at.paths, { event: "queued", at: cause.due, changeling: "a", cause });
    const second = await at.start();
    const run = await eventually("it is fired", () =>
      readRuns(at.paths, "a").find((each) => each.cause.kind === "schedule"),
    );
    expect(await at.end("a", run.id)).toMatchObject({ outcome: "no_changes", cause });
    await lab.kill(second);
    await at.start();
    expect(readRuns(at.paths, "a")).toHaveLength(2);
  });

  it("a run that was only recorded is performed", async () => {
    const at = lab.installation("recorded");
    at.install(at.spec("a", { agent: { script: commit, env: { MARK: "recorded" } } }));
    lab.wish("version", "9.9.9");
    const first = await at.start();
    const run = await at.run("a");
    await lab.kill(first);
    // As if it had crashed right after it was recorded.
    const records = join(at.paths.records, "a.jsonl");
    writeFileSync(records, `${readFileSync(records, "utf8").split("\n")[0]}\n`);
    writeFileSync(join(lab.home, ".changelings", ".run-ids", run.id), "recorded");
    lab.wish("version", "0.3.0");
    await at.start();
    expect(await at.end("a", run.id)).toMatchObject({ outcome: "succeeded", agentIsKept: true });
  });
});

describe("what came due while no scheduler ran", () => {
  const lab = new SchedulerLab("fake");
  const at = lab.installation();
  afterAll(() => lab[Symbol.asyncDispose]());
  const fiveMinutesAgo = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 300_000);
  const schedule = `${fiveMinutesAgo.getUTCMinutes()} ${fiveMinutesAgo.getUTCHours()} * * *`;
  const agent = { script: "true" };
  const due = fiveMinutesAgo.toISOString();

  it("is made up for once, where that is declared, and never from before a job was installed", async () => {
    at.install(at.spec("catches-up", { schedule, agent }), 10);
    at.install(at.spec("lets-go", { schedule, agent, catchUp: false }), 10);
    at.install(at.spec("is-new", { schedule, agent }), 0);
    at.install(at.spec("is-paused", { schedule, agent, enabled: false }), 10);
    const first = await at.start();
    const run = await eventually("it is fired", () => readRuns(at.paths, "catches-up")[0]);
    expect((await at.end("catches-up", run.id)).cause).toEqual({ kind: "catch_up", due });
    await lab.kill(first);
    const second = await at.start();
    await requestRun(at.paths, "is-paused");
    expect(readRuns(at.paths, "catches-up")).toHaveLength(1);
    expect(readRuns(at.paths, "lets-go")).toMatchObject([
      {
        outcome: "skipped",
        cause: { kind: "schedule", due },
        reason: "it came due while the scheduler was not running or the machine was asleep, and catch_up is false",
      },
    ]);
    expect(readRuns(at.paths, "is-new")).toEqual([]);
    expect(readRuns(at.paths, "is-paused")).toHaveLength(1);
    await lab.kill(second);
  });
});

it("two stacks that fire the same changeling in the same second get agents and branches of their own", async () => {
  await using lab = new SchedulerLab("fake");
  const stacks = [lab.installation("one"), lab.installation("two"), lab.installation("three")];
  const script = 'git commit --quiet --allow-empty --message "Of $STACK"';
  for (const at of stacks) at.install(at.spec("a", { agent: { script, env: { STACK: at.id } } }));
  await Promise.all(stacks.map((at) => at.start()));
  const runs = await Promise.all(stacks.map((at) => at.run("a")));
  expect(runs.map(({ commits }) => commits.map(({ subject }) => subject))).toEqual([
    ["Of one"],
    ["Of two"],
    ["Of three"],
  ]);
  expect(new Set(runs.map(({ branch }) => branch)).size).toBe(3);
});

it("only one scheduler runs per installation, however many are started at once", async () => {
  await using lab = new SchedulerLab("fake");
  const at = lab.installation();
  const started = await Promise.allSettled(Array.from({ length: 4 }, () => at.start()));
  const results = started.map((each) => (each.status === "fulfilled" ? "it runs" : String(each.reason.message)));
  expect(results.sort()).toEqual(["it runs", ...Array(3).fill("the scheduler ended with exit status 0")]);
  // Its lock is taken before it writes its first line.
  const log = join(at.paths.scheduler, "scheduler.log");
  await expect.poll(() => existsSync(log) && at.log().match(/started with/g)).toHaveLength(1);
});
