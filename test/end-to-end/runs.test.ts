import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jobPath } from "../../components/cron/local/installed-files.ts";
import { readRuns } from "../../components/cron/local/records.ts";
import { requestRun } from "../../components/cron/local/requests.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { startScheduler, stopScheduler } from "../../components/cron/local/supervise.ts";
import { mngrClient } from "../../components/mngr/client.ts";
import { mngrEnvironment } from "../../components/mngr/profile.ts";
import { writeSecrets } from "../../components/secrets/installed.ts";
import { filesHolding } from "../support/files-holding.ts";
import { eventually, isAlive, SchedulerLab } from "../support/scheduler-lab.ts";

/** Real mngr, real git. Every mngr command takes seconds, so what can go on at once does. */
const lab = new SchedulerLab("real");
const at = lab.installation();
const mngr = mngrClient(mngrEnvironment(lab.env));
const inHome = (file: string) => join(lab.home, file);
const commit = "echo work > mark && git add . && git commit --quiet --message 'Mark'";
const secret = 'hush $HOME `id` "quoted" \\ #zq9-tell';

const stub = fileURLToPath(new URL("../support/working-claude.sh", import.meta.url));

beforeAll(async () => {
  writeFileSync(inHome("bin/claude"), readFileSync(stub), { mode: 0o755 });
  // What whoever starts the scheduler has in their environment is not for agents.
  lab.env["LEAKY_TOKEN"] = "not-for-agents";
  await at.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe("a command agent", () => {
  it.concurrent("commits: succeeded, with its commits; its secrets reach it whole, and nobody else", async () => {
    const script = `env; env -0 > "${inHome("agent-env")}"; ps -ewwo args= > "${inHome("ps")}"; umask >> "${inHome("umask")}"; ${commit}`;
    at.install(at.spec("commits", { enabled: false, agent: { script, args: ["x"], env: { PLAIN: "a b" } } }));
    writeSecrets(at.paths, "commits", { SECRET: secret, GITHUB_TOKEN: "ghp_123" });
    const run = await at.run("commits");
    expect(run).toMatchObject({ outcome: "succeeded", reason: undefined, commits: [{ subject: "Mark" }] });
    expect(lab.git("log", "--format=%s", `main..${run.branch}`)).toBe("Mark");

    const env = readFileSync(inHome("agent-env"), "utf8").split("\0");
    expect(env).toEqual(
      expect.arrayContaining([`SECRET=${secret}`, "GITHUB_TOKEN=ghp_123", "GH_TOKEN=ghp_123", "PLAIN=a b"]),
    );
    expect(env.filter((line) => line.startsWith("LEAKY_TOKEN="))).toEqual([]);
    expect(readFileSync(inHome("umask"), "utf8")).toBe("0077\n");
    expect(readFileSync(inHome("ps"), "utf8")).not.toContain("zq9-tell");
    expect(existsSync(join(at.paths.scheduler, "env", `${run.id}.env`))).toBe(false);
    const output = join(at.paths.runs, "commits", run.id, "output.log");
    expect(readFileSync(output, "utf8")).toContain("SECRET=***\n");
    const telling = filesHolding("zq9-tell", lab.home).filter((file) => file !== inHome("agent-env"));
    expect(
      telling
        .map((file) => [file.replace(/agent-[0-9a-f]+/, "agent"), (statSync(file).mode & 0o777).toString(8)])
        .sort(),
    ).toEqual([
      [join(at.paths.secrets, "commits.json"), "600"],
      [inHome(".mngr/agents/agent/env"), "600"],
    ]);
  });

  it.concurrent("commits wherever it likes: its branches are named, and what it did to the base branch is a warning", async () => {
    const primary = `git -C "${lab.repo}" -c user.name=T -c user.email=t@example.com`;
    const script = `git checkout --quiet -b fix/x; ${commit}; echo over > over
      git checkout --quiet --detach; git commit --quiet --allow-empty --message Loose
      ${primary} commit --quiet --allow-empty --message "On main"`;
    at.install(at.spec("elsewhere", { agent: { script } }));
    const run = await at.run("elsewhere");
    expect(run).toMatchObject({
      outcome: "succeeded",
      commits: [{ subject: "Loose" }, { subject: "Mark" }],
      branches: [
        { name: run.branch, commits: 2 },
        { name: "fix/x", commits: 1 },
      ],
      warnings: [
        `it left changes of 1 file in ${run.worktree}: over`,
        expect.stringMatching(/^main was moved while it ran, from \w+ to \w+: 1 commit more than before$/),
      ],
    });
    expect(lab.git("log", "--format=%s", `${run.base}..${run.branch}`)).toBe("Loose\nMark");
  });

  it.concurrent("commits nothing but an empty commit: no changes", async () => {
    at.install(at.spec("empty", { agent: { script: "git commit --quiet --allow-empty --message Nothing" } }));
    expect(await at.run("empty")).toMatchObject({
      outcome: "no_changes",
      reason: "its commit changes nothing",
      commits: [{ subject: "Nothing" }],
    });
  });

  it.concurrent("is what mngr shows it as, and is kept, stopped", async () => {
    at.install(at.spec("kept", { agent: { script: "true" } }));
    const run = await at.run("kept");
    expect(run).toMatchObject({ outcome: "no_changes", reason: "it made no commit", agentIsKept: true });
    expect((await mngr.list()).agents.find(({ name }) => name === run.id)).toMatchObject({
      id: run.agentId,
      state: "STOPPED",
      labels: { CREATOR: "changeling", changeling: "kept", changeling_run: run.id, changelings_installation: "lab" },
    });
  });

  it.concurrent("fails: failed, with its exit status, and what it did commit", async () => {
    at.install(at.spec("fails", { agent: { script: `${commit}; echo left > over; echo told >&2; exit 3` } }));
    const run = await at.run("fails");
    expect(run).toMatchObject({
      outcome: "failed",
      reason: "its command ended with exit status 3",
      commits: [{ subject: "Mark" }],
    });
    expect(readFileSync(join(at.paths.runs, "fails", run.id, "output.log"), "utf8")).toBe("told\n");
  });

  it.concurrent("hangs, and takes no hint: timed_out, and its processes are gone", async () => {
    const script = `trap '' TERM HUP INT; setsid sh -c 'trap "" TERM HUP; echo $$ > "${inHome("pid1")}"; sleep 600' & echo $$ > "${inHome("pid2")}"; sleep 600; sleep 600`;
    at.install(at.spec("hangs", { timeoutSeconds: 15, agent: { script } }));
    const run = await at.run("hangs");
    expect(run).toMatchObject({ outcome: "timed_out", reason: "it did not finish within its 15 s, and was stopped" });
    const pids = ["pid1", "pid2"].map((file) => Number(readFileSync(inHome(file), "utf8")));
    await eventually("its processes are gone", () => (pids.some(isAlive) ? undefined : true));
  });

  it.concurrent("of a type without our wrapper is done when mngr reports it", async () => {
    mkdirSync(join(lab.repo, ".mngr"), { recursive: true });
    const type = '[agent_types.toucher]\nparent_type = "command"\ncommand = "touch touched"\n';
    writeFileSync(join(lab.repo, ".mngr", "settings.toml"), type);
    at.install(at.spec("touches", { agent: { mngrType: "toucher" } }));
    const run = await at.run("touches");
    expect(run.outcome).toBe("no_changes");
    expect(run.reason).toBe(`it made no commit, but left changes of 1 file in ${run.worktree}: touched`);
  });

  it.concurrent("is put aside by a profile, with that profile's settings", async () => {
    const settings = '[agent_types.aside]\nparent_type = "command"\ncommand = "touch aside"\n';
    mkdirSync(inHome(".mngr/profiles/changelings"), { recursive: true });
    writeFileSync(inHome(".mngr/profiles/changelings/settings.toml"), settings);
    at.install({ ...at.spec("aside", { agent: { mngrType: "aside" } }), mngrProfile: "changelings" });
    const run = await at.run("aside");
    expect(run).toMatchObject({ outcome: "no_changes", reason: expect.stringContaining("left changes of 1 file") });
    const named = ({ agents }: { agents: readonly { name: string }[] }) => agents.map(({ name }) => name);
    const aside = mngrClient(mngrEnvironment(lab.env, inHome(".mngr-changelings")));
    expect(named(await aside.list())).toEqual([run.id]);
    expect(named(await mngr.list())).not.toContain(run.id);
  });

  it.concurrent("has a type that mngr does not know: failed, with mngr's words", async () => {
    at.install(at.spec("unknown", { agent: { mngrType: "no-such-type" } }));
    expect(await at.run("unknown")).toMatchObject({
      outcome: "failed",
      reason: "mngr create failed: Unknown agent type 'no-such-type'.",
      agentId: undefined,
    });
  });
});

it.concurrent("a hook that fails: failed, with its words, and nothing is left of it", async () => {
  const repo = join(lab.home, "hooked");
  lab.git("clone", "--quiet", lab.repo, repo);
  writeFileSync(join(repo, ".git/hooks/post-checkout"), "#!/bin/sh\necho no such thing >&2\nexit 1\n", { mode: 0o755 });
  at.install(at.spec("hooked", { repo, agent: { script: "true" } }));
  const run = await at.run("hooked");
  expect(run).toMatchObject({
    outcome: "failed",
    reason: "mngr create failed: Failed to create git worktree: no such thing",
    agentId: undefined,
  });
  expect(lab.git("-C", repo, "worktree", "list").split("\n")).toHaveLength(1);
  expect(lab.git("-C", repo, "branch", "--list", "changelings/*")).toBe("");
});

it.concurrent("a conversation gets its message, works, waits, and is done; its terminal can be read", async () => {
  const agent = { type: "fixme-fairy", mngrType: "fixme-fairy", isConversational: true, message: "/fixme-fairy" };
  at.install(at.spec("talks", { settleSeconds: 6, agent }));
  const run = await at.run("talks");
  expect(run).toMatchObject({ outcome: "succeeded", commits: [{ subject: "Did /fixme-fairy" }] });
  expect(readFileSync(join(at.paths.runs, "talks", run.id, "output.log"), "utf8")).toContain("❯ /fixme-fairy");
});

it.concurrent("a conversation whose agent its person destroys has failed", async () => {
  const agent = { type: "claude", mngrType: "claude", isConversational: true, message: "Wait for me." };
  at.install(at.spec("destroyed", { settleSeconds: 600, timeoutSeconds: 600, agent }));
  const id = await at.fire("destroyed");
  const created = await eventually("its agent is there", () => at.recorded("destroyed", id).agentId, 120_000);
  await mngr.destroy([created]);
  const run = await at.end("destroyed", id);
  expect(run).toMatchObject({ outcome: "failed", reason: "its agent was destroyed by somebody else" });
});

it.concurrent("a schedule fires at its time, once, and what comes due meanwhile waits its turn", async () => {
  const minute = (n: number) => new Date((Math.floor(Date.now() / 60_000) + n) * 60_000);
  const [missed, next] = [minute(-5), minute(Date.now() % 60_000 > 50_000 ? 2 : 1)];
  const minutes = `${missed.getUTCMinutes()},${next.getUTCMinutes()}`;
  const schedule = `${minutes} ${[...new Set([missed.getUTCHours(), next.getUTCHours()])].join(",")} * * *`;
  const script = `[ "$(date +%s)" -ge ${next.getTime() / 1000 + 2} ] || sleep ${Math.ceil((next.getTime() - Date.now()) / 1000) + 4}`;
  at.install(at.spec("due", { schedule, overlap: "queue", agent: { script } }), 10);
  const runs = await eventually(
    "both have run",
    () => {
      const all = readRuns(at.paths, "due");
      return all.length === 2 && all.every(({ outcome }) => outcome !== undefined) ? all : undefined;
    },
    150_000,
  );
  expect(runs.map(({ cause, outcome }) => [cause, outcome])).toEqual([
    [{ kind: "schedule", due: next.toISOString() }, "no_changes"],
    [{ kind: "catch_up", due: missed.toISOString() }, "no_changes"],
  ]);
  const [second, first] = runs;
  expect(Date.parse(`${second?.firedAt}`)).toBeGreaterThanOrEqual(Date.parse(`${first?.endedAt}`));
  expect(at.log()).toContain(`due: queued behind ${first?.id}`);
});

it.concurrent("a supervised scheduler is back after a crash, and the run that was open ends as it should", async () => {
  const second = lab.installation("second");
  const { pid, supervisor } = await startScheduler("second", lab.home, lab.env);
  try {
    expect(supervisor).toBe("a restart loop");
    const script = `while [ ! -e "${inHome("go")}" ]; do sleep 0.2; done; ${commit}`;
    second.install(second.spec("survives", { agent: { script } }));
    const id = await second.fire("survives");
    await eventually("its agent is there", () => second.recorded("survives", id).agentId);
    process.kill(pid, "SIGKILL");
    // The command ends while nobody looks.
    writeFileSync(inHome("go"), "");
    const isBack = () => ([undefined, pid].includes(schedulerState(second.paths).pid) ? undefined : true);
    await eventually("it is back", isBack);
    expect(await second.end("survives", id)).toMatchObject({ outcome: "succeeded", commits: [{ subject: "Mark" }] });
    expect(readRuns(second.paths)).toHaveLength(1);
    second.install(second.spec("interrupted", { agent: { script: "sleep 600" } }));
    await requestRun(second.paths, "interrupted");
  } finally {
    await stopScheduler("second", { endRuns: true }, lab.home);
  }
  expect(schedulerState(second.paths).alive).toBe(false);
  expect(readRuns(second.paths, "interrupted")[0]).toMatchObject({ outcome: "failed", agentIsKept: false });
  expect((await mngr.list()).agents.filter(({ labels }) => labels["changelings_installation"] === "second")).toEqual(
    [],
  );
  expect(existsSync(jobPath(second.paths, "interrupted"))).toBe(true);
});
