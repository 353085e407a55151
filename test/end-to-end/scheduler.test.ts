import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jobPath } from "../../components/cron/local/installed-files.ts";
import { readRuns } from "../../components/cron/local/records.ts";
import { requestRemoval, requestRun, requestStop } from "../../components/cron/local/requests.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { eventually, type Installation, isAlive, SchedulerLab } from "../support/scheduler-lab.ts";

const outcomes = (at: Installation, name: string) => readRuns(at.paths, name).map(({ outcome }) => outcome);
const commit = 'echo "$$" > "$MARK" && git add . && git commit --quiet --message "Mark"';

describe("a scheduler", () => {
  const lab = new SchedulerLab("fake");
  const at = lab.installation();
  beforeAll(async () => {
    await at.start();
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  const untilFile = (file: string) => `while [ ! -e "${join(lab.home, file)}" ]; do sleep 0.1; done`;

  it("fires a job that came after it started, and records what came of it", async () => {
    at.install(at.spec("marks", { agent: { script: commit, env: { MARK: "mark" } } }));
    const run = await at.run("marks");
    const branch = `changelings/${run.id}`;
    expect(run).toMatchObject({
      outcome: "succeeded",
      reason: undefined,
      branch,
      repo: lab.repo,
      cause: { kind: "manual" },
    });
    expect(run.commits).toEqual([{ hash: lab.git("rev-parse", branch), subject: "Mark" }]);
    expect(run.base).toBe(lab.git("rev-parse", "main"));
    // git has no user name here.
    expect(lab.git("log", "-1", "--format=%an <%ae>", branch)).toBe("marks (changeling) <marks@changelings.invalid>");
    expect(readdirSync(join(lab.home, ".changelings", ".run-ids"))).not.toContain(run.id);
  });

  it("fires a paused one when asked to", async () => {
    at.install(at.spec("paused", { enabled: false, agent: { script: "true" } }));
    expect(await at.run("paused")).toMatchObject({ outcome: "no_changes", reason: "it made no commit" });
  });

  it("takes over a changed job without a restart, and lets the last installed one fire", async () => {
    at.install(at.spec("changes", { agent: { script: "exit 1" } }));
    expect((await at.run("changes")).reason).toBe("its command ended with exit status 1");
    at.install(at.spec("changes", { agent: { script: "exit 2" } }));
    expect((await at.run("changes")).reason).toBe("its command ended with exit status 2");
  });

  it("runs a plain command, of type command", async () => {
    at.install(
      at.spec("plain", { agent: { args: ["sh", "-c", "echo $0 $PLAIN; exit 4", "zero"], env: { PLAIN: "a b" } } }),
    );
    const run = await at.run("plain");
    expect(run.reason).toBe("its command ended with exit status 4");
    expect(readFileSync(join(at.paths.runs, "plain", run.id, "output.log"), "utf8")).toBe("zero a b\n");
  });

  it("never has two runs of one changeling: a second due time is skipped, with the reason", async () => {
    at.install(at.spec("busy", { agent: { script: untilFile("go-busy") } }));
    const id = await at.fire("busy");
    expect(await requestRun(at.paths, "busy")).toEqual({ skipped: `${id} is still running` });
    writeFileSync(join(lab.home, "go-busy"), "");
    await at.end("busy", id);
    expect(outcomes(at, "busy")).toEqual(["skipped", "no_changes"]);
    expect(readRuns(at.paths, "busy")[0]).toMatchObject({
      cause: { kind: "manual" },
      branch: undefined,
      durationSeconds: 0,
    });
  });

  it("does not fire a job that was edited by hand, until it is repaired", async () => {
    const spec = at.spec("edited", { agent: { script: "true" } });
    at.install(spec);
    const path = jobPath(at.paths, "edited");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace("0 3 1 1 *", "* * * * *"));
    await expect(requestRun(at.paths, "edited")).rejects.toThrow(
      `${path} was edited by hand; repair it with: pulumi up`,
    );
    writeFileSync(path, "{");
    await expect(requestRun(at.paths, "edited")).rejects.toThrow(
      `${path} is not a job file; repair it with: pulumi up`,
    );
    writeFileSync(path, text);
    expect((await at.run("edited")).outcome).toBe("no_changes");
    expect(at.log()).toContain(`edited is not scheduled: ${path} was edited by hand; repair it with: pulumi up`);
  });

  it("rejects a request for an unknown job", async () => {
    await expect(requestRun(at.paths, "nobody")).rejects.toThrow(
      'the scheduler has no job "nobody"; install it with: pulumi up',
    );
  });

  it("fails a run whose repository or branch is not there", async () => {
    at.install(at.spec("no-repo", { repo: join(lab.home, "elsewhere"), agent: { script: "true" } }));
    expect((await at.run("no-repo")).reason).toBe(`the repository ${join(lab.home, "elsewhere")} does not exist`);
    at.install(at.spec("no-branch", { branch: "nope", agent: { script: "true" } }));
    const run = await at.run("no-branch");
    expect(run).toMatchObject({ outcome: "failed", agentId: undefined });
    expect(run.reason).toBe('the repository has no branch "nope", nor has its remote "origin"');
  });

  it("clones a repository that is declared by URL, and fetches new commits", async () => {
    const repo = `file://${lab.repo}`;
    at.install(
      at.spec("cloned", { repo, agent: { script: `git log --format=%s origin/main; ${commit}`, env: { MARK: "m" } } }),
    );
    const first = await at.run("cloned");
    expect(first.outcome).toBe("succeeded");
    const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    lab.git(...who, "commit", "--quiet", "--allow-empty", "--message", "Second");
    const second = await at.run("cloned");
    expect(readFileSync(join(at.paths.runs, "cloned", second.id, "output.log"), "utf8")).toBe("Second\nFirst\n");
    expect(second.repo).toBe(first.repo);
    expect(lab.git("-C", `${second.repo}`, "config", "--default", "none", `branch.${second.branch}.remote`)).toBe(
      "none",
    );
    expect(statSync(`${second.repo}`).mode & 0o777).toBe(0o700);
  });

  it("keeps the agents of as many runs as declared, and no empty branch of an older one", async () => {
    at.install(
      at.spec("kept", {
        keepRuns: 1,
        // Two runs in one second would make the same commit, and the older branch then holds nothing of its own.
        agent: { script: "[ ! -e ../../../now ] || { echo $$ > f; git add f; git commit -qm F; }" },
      }),
    );
    const first = await at.run("kept");
    writeFileSync(join(lab.home, "now"), "");
    const second = await at.run("kept");
    const third = await at.run("kept");
    await eventually("older agents are destroyed", () =>
      at.recorded("kept", second.id).agentIsKept ? undefined : true,
    );
    expect(readRuns(at.paths, "kept").map(({ id, agentIsKept }) => [id, agentIsKept])).toEqual([
      [third.id, true],
      [second.id, false],
      [first.id, false],
    ]);
    const branches = lab.git("branch", "--list", "--format=%(refname:short)", "changelings/kept-*").split("\n");
    expect(branches).toEqual([second.branch, third.branch]);
  });

  it("ends a run past its time", async () => {
    at.install(
      at.spec("endless", { timeoutSeconds: 2, agent: { script: "echo $$ > ../../../endless.pid; sleep 600" } }),
    );
    const run = await at.run("endless");
    expect(run).toMatchObject({ outcome: "timed_out", reason: "it did not finish within its 2 s, and was stopped" });
    const pid = Number(readFileSync(join(lab.home, "endless.pid"), "utf8"));
    await eventually("its process is gone", () => (isAlive(pid) ? undefined : true));
  });

  it("ends what runs of a changeling that is removed, and forgets it", async () => {
    at.install(at.spec("removed", { agent: { script: "sleep 600" } }));
    const id = await at.fire("removed");
    await requestRemoval(at.paths, "removed");
    const reason = "its changeling was removed while it was running";
    expect(at.recorded("removed", id)).toMatchObject({ outcome: "failed", reason });
    await expect(requestRun(at.paths, "removed")).rejects.toThrow("it is being removed");
    rmSync(jobPath(at.paths, "removed"));
    await expect(requestRun(at.paths, "removed")).rejects.toThrow('has no job "removed"');
  });

  it("leaves no environment file, no request and no answer behind", () => {
    expect(readdirSync(join(at.paths.scheduler, "env"))).toEqual([]);
    expect(readdirSync(at.paths.requests)).toEqual([]);
  });

  it("when asked to stop, ends all runs, and itself", async () => {
    at.install(at.spec("last", { agent: { script: "sleep 600" } }));
    at.install(at.spec("leaves", { agent: { script: "echo > leftover" } }));
    await at.run("leaves");
    const id = await at.fire("last");
    await requestStop(at.paths);
    const reason = "its scheduler was removed while it was running";
    expect(at.recorded("last", id)).toMatchObject({ outcome: "failed", reason, agentIsKept: false });
    // Agents go with their scheduler, but for those that hold what no commit does.
    expect(readRuns(at.paths).flatMap(({ changeling, agentIsKept }) => (agentIsKept ? [changeling] : []))).toEqual([
      "leaves",
    ]);
    await eventually("it has ended", () => (schedulerState(at.paths).alive ? undefined : true));
    expect(at.log()).toMatch(/ended: it was asked to stop\n$/);
    await expect(requestRun(at.paths, "last")).rejects.toThrow(
      "the scheduler is not running; start it with: pulumi up",
    );
  });
});

describe("a mngr that does not do what it should", () => {
  const lab = new SchedulerLab("fake");
  const at = lab.installation();
  beforeAll(async () => {
    lab.wish("version", "9.9.9");
    await at.start();
    at.install(at.spec("a", { agent: { script: "true" } }));
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  it("is not used while it is of another version", async () => {
    const reason = "mngr 9.9.9 is installed, but 0.3.0 is required; install it with: npm run setup";
    expect(await at.run("a")).toMatchObject({ outcome: "failed", reason });
    expect(lab.calls()).not.toContain("create");
    lab.wish("version", "0.3.0");
    expect((await at.run("a")).outcome).toBe("no_changes");
  });

  it("has its leftovers of a failed create destroyed", async () => {
    const failure = { error_class: "MngrError", message: "it broke\nin the middle", leavesAgent: true };
    lab.wish("create-error.json", JSON.stringify(failure));
    const run = await at.run("a");
    expect(run).toMatchObject({ outcome: "failed", reason: "mngr create failed: it broke" });
    expect(lab.calls().at(-1)).toBe("destroy");
    expect(lab.git("branch", "--list", `${run.branch}`)).toBe("");
  });

  it("is not asked to destroy somebody else's agent of that name", async () => {
    const failure = { error_class: "DuplicateAgentNameError", message: "it exists", leavesAgent: false };
    lab.wish("create-error.json", JSON.stringify(failure));
    const before = lab.calls().length;
    expect((await at.run("a")).reason).toBe("mngr create failed: it exists");
    expect(lab.calls().slice(before)).toEqual(["create"]);
  });

  it("is killed when a removal comes while it creates an agent, and leaves nothing", async () => {
    rmSync(join(lab.home, "fake-mngr", "create-error.json"));
    lab.wish("create-seconds", "600");
    at.install(at.spec("slow", { agent: { script: "true" } }));
    const id = await at.fire("slow");
    await eventually("mngr create has started", () =>
      existsSync(join(at.paths.runs, "slow", id, "create.pid")) ? true : undefined,
    );
    await requestRemoval(at.paths, "slow");
    const reason = "its changeling was removed while it was running";
    expect(at.recorded("slow", id)).toMatchObject({ outcome: "failed", reason, agentIsKept: false });
    const pid = Number(readFileSync(join(at.paths.runs, "slow", id, "create.pid"), "utf8"));
    await eventually("it is gone", () => (isAlive(pid) ? undefined : true));
    lab.wish("create-seconds", "0");
    expect(lab.git("branch", "--list", `changelings/${id}`)).toBe("");
  });

  it("does not end a run whose agent can't be stopped", async () => {
    at.install(at.spec("stays", { timeoutSeconds: 1, agent: { script: "sleep 600" } }));
    lab.wish("stop-error", "it is busy");
    const id = await at.fire("stays");
    await eventually("it is tried again", () =>
      at.log().includes("it is busy; it is tried again") ? true : undefined,
    );
    expect(at.recorded("stays", id).outcome).toBeUndefined();
    expect(await requestRun(at.paths, "stays")).toEqual({ skipped: `${id} is still running` });
    rmSync(join(lab.home, "fake-mngr", "stop-error"));
    // Whoever removes it does not wait for a minute.
    await requestRemoval(at.paths, "stays");
    expect(at.recorded("stays", id).outcome).toBe("failed");
    expect(lab.agents().filter(({ name, isStopped }) => name === id && !isStopped)).toEqual([]);
  });
});
