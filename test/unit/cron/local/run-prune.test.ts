import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { appendRecord, readRuns } from "../../../../components/cron/local/records.ts";
import type { RunContext } from "../../../../components/cron/local/runs/context.ts";
import type { RunPlan } from "../../../../components/cron/local/runs/plan.ts";
import { prune, retire } from "../../../../components/cron/local/runs/prune.ts";
import { RunKeeper } from "../../../../components/cron/local/runs/run-keeper.ts";
import { countUncommitted } from "../../../../components/git/git.ts";
import { type InstallationPaths, installationPaths } from "../../../../components/host/installation-paths.ts";
import { MngrError } from "../../../../components/mngr/client.ts";

let home: string;
let paths: InstallationPaths;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "prune-"));
  paths = installationPaths("test", home);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const env = { PATH: `${process.env["PATH"]}`, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };

/** A run that has ended, whose agent was kept. */
function ended(id: string, worktree: string, changeling = "a"): void {
  const common = { at: "2026-11-21T05:00:00Z", changeling, id };
  appendRecord(paths, {
    ...common,
    event: "fired",
    cause: { kind: "manual" },
    branch: `changelings/${id}`,
    repo: "/no",
  });
  appendRecord(paths, { ...common, event: "created", agentId: `agent-${id}`, base: "b", worktree });
  appendRecord(paths, { ...common, event: "ended", outcome: "succeeded", commits: [] });
}

function contextWith(destroy: (agents: readonly string[]) => Promise<void>): { context: RunContext; log: string[] } {
  const log: string[] = [];
  const context = { paths, env, log: (event: string) => log.push(event), mngr: () => ({ destroy }) };
  // Nothing else of it is used for this.
  return { context: context as unknown as RunContext, log };
}

function worktreeWithoutGit(): string {
  const worktree = join(home, "worktree");
  mkdirSync(worktree, { recursive: true });
  writeFileSync(join(worktree, "work"), "");
  return worktree;
}

it("an agent that removed its worktree's .git is kept, and the others are destroyed", async () => {
  ended("broken", worktreeWithoutGit());
  ended("fine", join(home, "gone"));
  const destroy = vi.fn(async () => {});
  const { context, log } = contextWith(destroy);
  await retire(undefined, context);
  expect(destroy.mock.calls).toEqual([[["agent-fine"]]]);
  expect(readRuns(paths).map(({ id, agentIsKept }) => [id, agentIsKept])).toEqual([
    ["fine", false],
    ["broken", true],
  ]);
  expect(log.join("\n")).toContain("broken: its agent is kept: whether there are uncommitted changes in");
});

it("if mngr can't destroy an agent, the others are still destroyed", async () => {
  for (const id of ["one", "stuck", "two"]) ended(id, join(home, "gone"));
  const { context, log } = contextWith(async (agents) => {
    if (agents.includes("agent-stuck")) throw new MngrError("mngr destroy failed");
  });
  await retire(["a"], context);
  expect(readRuns(paths).filter(({ agentIsKept }) => agentIsKept)).toMatchObject([{ id: "stuck" }]);
  expect(log).toContain("stuck: its agent is kept: mngr destroy failed");
});

it("agents that can't be destroyed in time are kept, and a slow machine gets smaller batches", async () => {
  vi.useFakeTimers();
  try {
    for (let run = 10; run < 40; run += 1) ended(`run-${run}`, join(home, "gone"));
    const batches: number[] = [];
    const { context, log } = contextWith(async (agents) => {
      batches.push(agents.length);
      vi.advanceTimersByTime(agents.length * 3000);
    });
    await retire(undefined, context);
    expect(batches).toEqual([4, 16]);
    expect(log).toContain("10 agents stay: there was no time to destroy them");
  } finally {
    vi.useRealTimers();
  }
});

it("the agents of many changelings that are removed are destroyed by one mngr at a time", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `c-${index + 10}`);
  for (const name of names) ended(`${name}-run`, join(home, "gone"), name);
  let [running, most] = [0, 0];
  const destroyed: string[][] = [];
  const { context } = contextWith(async (agents) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    destroyed.push([...agents]);
    running -= 1;
  });
  const keeper = new RunKeeper(context, () => undefined);
  await Promise.all(names.map((name) => keeper.remove(name, "it was removed")));
  await keeper.close("its scheduler was removed");
  expect(most).toBe(1);
  expect(destroyed.flat().sort()).toEqual(names.map((name) => `agent-${name}-run`));
});

it("after a rename, the oldest runs' folders go first, whatever their ids begin with", async () => {
  const at = (second: number) => `2026-11-21-05-00-${second}`;
  const folders = [
    ...Array.from({ length: 45 }, (_, index) => `z-${at(10 + index)}`),
    ...[55, 56, 57, 58, 59].map((s) => `a-${at(s)}`),
  ];
  for (const id of [...folders, `a-2026-11-21-05-01-00`]) mkdirSync(join(paths.runs, "a", id), { recursive: true });
  const { context } = contextWith(async () => {});
  // Nothing else of the plan is used.
  await prune({ spec: { name: "a", keepRuns: 0 } } as RunPlan, context);
  expect(readdirSync(join(paths.runs, "a")).sort()).toEqual([...folders.slice(1), `a-2026-11-21-05-01-00`].sort());
});

it("a worktree without its .git is not mistaken for an enclosing repository", async () => {
  await expect(countUncommitted(worktreeWithoutGit(), env)).rejects.toThrow("is no longer a work tree");
  mkdirSync(join(home, "empty"));
  expect(await countUncommitted(join(home, "empty"), env)).toBe(0);
  expect(await countUncommitted(join(home, "gone"), env)).toBe(0);
});
