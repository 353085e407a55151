import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { own, Scene, subjects } from "../../../support/run-work-scene.ts";

describe.each([
  ["in a worktree of a shared repository", false],
  ["in a clone of its own", true],
])("what a run did, %s", (_where, isolated) => {
  it("on its own branch", async () => {
    using scene = await new Scene(isolated).begin();
    const subject = scene.commit("agent", scene.tree);
    const hash = scene.agent("rev-parse", "HEAD");
    expect(await scene.work()).toEqual({
      commits: [{ hash, subject }],
      branches: [{ name: own, commits: 1 }],
      isChanged: true,
      uncommitted: [],
      warnings: [],
    });
  });

  it("commits with a long first paragraph have a short subject, and characters that are whole", async () => {
    using scene = await new Scene(isolated).begin();
    scene.agent("commit", "--quiet", "--allow-empty", "--message", "é".repeat(5000));
    scene.agent("commit", "--quiet", "--allow-empty", "--message", "ends with spaces in it  x");
    const [short, long] = (await scene.work()).commits;
    expect(short?.subject).toBe("ends with spaces in it  x");
    expect(long?.subject).toMatch(/^é{100,300}\.\.$/);
  });

  it("nothing", async () => {
    using scene = await new Scene(isolated).begin();
    expect(await scene.work()).toEqual({ commits: [], branches: [], isChanged: false, uncommitted: [], warnings: [] });
  });

  it("on branches of the agent's own, its run's branch deleted", async () => {
    using scene = await new Scene(isolated).begin();
    scene.agent("checkout", "--quiet", "-b", "fix/x");
    const x = scene.commit("agent", scene.tree);
    scene.agent("branch", "--quiet", "--delete", "--force", own);
    scene.agent("checkout", "--quiet", "-b", "fix/y");
    const y = scene.commit("agent", scene.tree);
    const work = await scene.work();
    expect(subjects(work)).toEqual([x, y].sort());
    expect(work.branches).toEqual([
      { name: "fix/x", commits: 1 },
      { name: "fix/y", commits: 2 },
    ]);
  });

  it("on no branch: the commits get the run's branch, so that they outlive the worktree", async () => {
    using scene = await new Scene(isolated).begin();
    scene.agent("checkout", "--quiet", "--detach");
    const subject = scene.commit("agent", scene.tree);
    const work = await scene.work();
    expect([subjects(work), work.branches]).toEqual([[subject], [{ name: own, commits: 1 }]]);
    expect(scene.agent("rev-parse", own)).toBe(scene.agent("rev-parse", "HEAD"));
    expect(await scene.work()).toEqual(work);
  });

  it("on no branch, beside other work on the run's own branch: both are kept", async () => {
    using scene = await new Scene(isolated).begin();
    const first = scene.commit("agent", scene.tree);
    scene.agent("checkout", "--quiet", "--detach", "HEAD~1");
    const second = scene.commit("agent", scene.tree);
    const work = await scene.work();
    expect(subjects(work)).toEqual([first, second].sort());
    expect(work.branches.map(({ name }) => name).sort()).toEqual([own, `${own}-detached`]);
    expect((await scene.work()).commits).toEqual(work.commits);
  });

  it("only brought its branch up to date: others' commits are not the run's", async () => {
    using scene = await new Scene(isolated).begin();
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "origin", "HEAD:main", "HEAD:feature");
    scene.agent("pull", "--quiet", "--no-rebase", "origin", "main");
    expect(await scene.work()).toEqual({ commits: [], branches: [], isChanged: false, uncommitted: [], warnings: [] });
    scene.agent("fetch", "--quiet", "origin");
    scene.agent("checkout", "--quiet", "feature");
    expect((await scene.work()).commits).toEqual([]);
  });

  it.each([
    ["by itself", [own]],
    ["under another name", ["fix/pushed"]],
  ])("and pushed %s", async (_how, [name = ""]) => {
    using scene = await new Scene(isolated).begin();
    const subject = scene.commit("agent", scene.tree);
    scene.agent("push", "--quiet", "origin", `HEAD:refs/heads/${name}`);
    const work = await scene.work();
    expect([subjects(work), work.warnings]).toEqual([[subject], []]);
  });

  it.each<[string, (scene: Scene) => void]>([
    ["an empty commit", (scene) => scene.agent("commit", "--quiet", "--allow-empty", "--message", "Nothing")],
    [
      "a commit and its revert",
      (scene) => {
        scene.commit("agent", scene.tree);
        scene.agent("revert", "--no-edit", "HEAD");
      },
    ],
    [
      "an empty commit, merged with what others did",
      (scene) => {
        scene.agent("commit", "--quiet", "--allow-empty", "--message", "Nothing");
        scene.commit("colleague", scene.at("colleague"));
        scene.git(scene.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
        scene.agent("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main");
      },
    ],
  ])("%s changes nothing", async (_what, happen) => {
    using scene = await new Scene(isolated).begin();
    happen(scene);
    const work = await scene.work();
    expect(work.isChanged).toBe(false);
    expect(work.commits).not.toEqual([]);
  });

  it("a revert of what was there changes something", async () => {
    using scene = await new Scene(isolated).begin();
    scene.commit("agent", scene.tree);
    scene.agent("rm", "--quiet", "file-1");
    scene.agent("commit", "--quiet", "--amend", "--message", "Remove it");
    expect(await scene.work()).toMatchObject({ isChanged: true, commits: [{ subject: "Remove it" }] });
  });

  it("uncommitted files beside it", async () => {
    using scene = await new Scene(isolated).begin();
    scene.commit("agent", scene.tree);
    writeFileSync(join(scene.tree, "file-1"), "changed");
    writeFileSync(join(scene.tree, "new\u001b[31m"), "");
    expect((await scene.work()).uncommitted).toEqual(["file-1", '"new\\033[31m"']);
  });

  it("pushed onto the remote's base branch: a warning, and not a commit of the run's", async () => {
    using scene = await new Scene(isolated).begin();
    scene.commit("agent", scene.tree);
    scene.agent("push", "--quiet", "origin", "HEAD:main");
    const { commits, warnings } = await scene.work();
    expect(commits).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^its work is on origin\/main, which was moved from \w{10} to \w{10}$/),
    ]);
  });

  it("force-pushed the remote's base branch", async () => {
    using scene = await new Scene(isolated).begin();
    scene.agent("commit", "--quiet", "--amend", "--message", "Rewritten");
    scene.agent("push", "--quiet", "--force", "origin", "HEAD:main");
    expect((await scene.work()).warnings).toEqual([
      expect.stringMatching(
        /^origin\/main was rewound while it ran, from \w{10} to \w{10}: 1 commit less than before$/,
      ),
    ]);
  });

  it("deleted the remote's base branch", async () => {
    using scene = await new Scene(isolated).begin();
    scene.git(scene.at("origin.git"), "symbolic-ref", "HEAD", "refs/heads/other");
    scene.agent("push", "--quiet", "origin", ":main");
    expect((await scene.work()).warnings).toEqual([expect.stringMatching(/^origin\/main is gone; it was at \w{10}/)]);
  });

  it("runs none of the repository's hooks, monitors and pagers", async () => {
    using scene = await new Scene(isolated).begin();
    scene.agent("checkout", "--quiet", "--detach");
    scene.commit("agent", scene.tree);
    const ran = scene.at("ran");
    const hook = join(scene.folder, "hooks", "reference-transaction");
    mkdirSync(join(scene.folder, "hooks"));
    writeFileSync(hook, `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 });
    for (const [key, value] of [
      ["core.hooksPath", join(scene.folder, "hooks")],
      ["core.fsmonitor", hook],
      ["core.pager", hook],
    ]) {
      scene.git(scene.primary, "config", `${key}`, `${value}`);
    }
    expect((await scene.work()).commits).toHaveLength(1);
    expect(existsSync(ran)).toBe(false);
  });
});
