import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runFiles } from "../../../../components/cron/local/runs/plan.ts";
import { recordMissingStart } from "../../../../components/cron/local/runs/start.ts";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { own, Scene } from "../../../support/run-work-scene.ts";

describe("in a repository that others use", () => {
  it("the agent's commit on the base branch in the primary checkout is a warning", async () => {
    using scene = await new Scene().begin();
    scene.commit("agent", scene.primary);
    const { commits, warnings } = await scene.work();
    expect(commits).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^main was moved while it ran, from \w{10} to \w{10}: 1 commit more than before$/),
    ]);
  });

  it("warns about a base branch that was rewound or deleted, but not about one that was only pulled", async () => {
    using scene = await new Scene().begin();
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
    scene.git(scene.primary, "pull", "--quiet");
    expect((await scene.work()).warnings).toEqual([]);
    scene.git(scene.primary, "checkout", "--quiet", "--orphan", "other");
    scene.git(scene.primary, "commit", "--quiet", "--message", "Other");
    scene.agent("update-ref", "refs/heads/main", "other");
    expect((await scene.work()).warnings).toEqual([
      expect.stringMatching(/^main was rewound .*: 1 commit less than before$/),
    ]);
    scene.agent("update-ref", "-d", "refs/heads/main");
    expect((await scene.work()).warnings).toEqual([expect.stringMatching(/^main is gone; it was at \w{10}/)]);
  });

  it("ignores branches of others and of other runs, and warns about one of unknown origin", async () => {
    using scene = await new Scene().begin();
    const other = scene.at("other");
    scene.git(scene.primary, "worktree", "add", "--quiet", "-b", "changelings/other-1", other, "main");
    scene.commit("other", other);
    scene.git(scene.primary, "checkout", "--quiet", "-b", "feature");
    scene.commit("person", scene.primary);
    expect(await scene.work()).toEqual({ commits: [], branches: [], isChanged: false, uncommitted: [], warnings: [] });
    scene.git(scene.primary, "worktree", "add", "--quiet", "-b", "fix/elsewhere", scene.at("elsewhere"), "main");
    scene.commit("agent", scene.at("elsewhere"));
    expect((await scene.work()).warnings).toEqual([
      "fix/elsewhere has 1 commit more than before, not made in its work tree",
    ]);
  });

  it("worktrees that the agent creates in its own worktree are its own", async () => {
    using scene = await new Scene().begin();
    const inner = join(scene.tree, ".claude/worktrees/helper");
    scene.agent("worktree", "add", "--quiet", "-b", "helper", inner);
    const subject = scene.commit("agent", inner);
    expect(await scene.work()).toMatchObject({ commits: [{ subject }], branches: [{ name: "helper", commits: 1 }] });
  });

  it("the commits of an agent that removed its worktree or its .git are reported", async () => {
    using scene = await new Scene().begin();
    scene.agent("checkout", "--quiet", "-b", "fix/x");
    const subject = scene.commit("agent", scene.tree);
    rmSync(join(scene.tree, ".git"));
    writeFileSync(join(scene.tree, "left"), "");
    expect(await scene.work()).toMatchObject({ commits: [{ subject }], uncommitted: ["left"] });
    rmSync(scene.tree, { recursive: true });
    expect(await scene.work()).toMatchObject({ commits: [{ subject }], uncommitted: [] });
  });
});

it("a run that an older version began, and that noted no refs, has its commits and no others'", async () => {
  using scene = new Scene();
  scene.git(scene.primary, "checkout", "--quiet", "-b", "feature");
  scene.commit("person", scene.primary);
  scene.git(scene.primary, "checkout", "--quiet", "main");
  await scene.begin();
  const subject = scene.commit("agent", scene.tree);
  scene.agent("push", "--quiet", "origin", own);
  const files = runFiles(installationPaths("lab", scene.folder), "run", "run-1");
  writePrivateFile(files.base, "main");
  await recordMissingStart(
    files,
    { folder: scene.primary, branch: own, base: scene.agent("rev-parse", "main") },
    scene.env,
  );
  expect(await scene.work({ start: files.refs })).toMatchObject({
    commits: [{ subject }],
    branches: [{ name: own, commits: 1 }],
    warnings: [],
  });
});
