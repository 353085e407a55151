import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { runFiles } from "../../../../components/cron/local/runs/plan.ts";
import { recordMissingStart } from "../../../../components/cron/local/runs/start.ts";
import { refsOf, type Work, workSince } from "../../../../components/cron/local/runs/work.ts";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import "../../../support/properties.ts";

const own = "changelings/run-1";

let template: string | undefined;
afterAll(() => {
  if (template !== undefined) rmSync(template, { recursive: true, force: true });
});

/** A repository with a remote, its people, and a run's work tree in it; or, isolated, a clone that is the agent's alone. */
class Scene implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "run-work-")));
  readonly primary = join(this.folder, "primary");
  readonly tree: string;
  readonly #isolated: boolean;
  readonly env: Record<string, string>;
  readonly #start = join(this.folder, "start");
  #count = 0;

  constructor(isolated = false) {
    this.#isolated = isolated;
    this.tree = isolated ? this.primary : join(this.folder, "tree");
    this.env = {
      PATH: `${process.env["PATH"]}`,
      HOME: this.folder,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_EDITOR: "true",
    };
    if (template === undefined) {
      this.#build();
      template = mkdtempSync(join(tmpdir(), "run-work-template-"));
      cpSync(this.folder, template, { recursive: true });
    } else cpSync(template, this.folder, { recursive: true });
    this.#count = 1;
  }

  /** Remotes are relative paths, so that all of it can be copied. */
  #build(): void {
    const bare = ["-c", "init.templateDir="];
    this.git(this.folder, ...bare, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git");
    for (const name of ["colleague", "primary"]) {
      if (name === "primary") this.git(this.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
      this.git(this.folder, ...bare, "clone", "--quiet", "origin.git", name);
      this.git(this.at(name), "remote", "set-url", "origin", "../origin.git");
      this.git(this.at(name), "config", "push.default", "current");
      if (name === "colleague") this.commit("somebody", this.at("colleague"));
    }
  }

  async begin(): Promise<this> {
    if (this.#isolated) this.git(this.primary, "checkout", "--quiet", "--no-track", "-b", own, "origin/main");
    writeFileSync(this.#start, await refsOf(this.primary, this.env));
    if (!this.#isolated)
      this.git(this.primary, "worktree", "add", "--quiet", "--no-track", "-b", own, this.tree, "main");
    return this;
  }

  work({ start = this.#start } = {}): Promise<Work> {
    const { primary: folder, tree: worktree } = this;
    const isShared = !this.#isolated;
    const base = isShared ? "refs/heads/main" : "refs/remotes/origin/main";
    return workSince({ folder, start, base, branch: own, worktree, isShared }, this.env);
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  git(cwd: string, ...args: string[]): string {
    return this.gitAs("somebody", cwd, ...args);
  }

  gitAs(who: string, cwd: string, ...args: string[]): string {
    const names = Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((role) => [
        [`GIT_${role}_NAME`, who],
        [`GIT_${role}_EMAIL`, `${who}@example.com`],
      ]),
    );
    const env = { ...this.env, ...names };
    return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }

  /** Commits a new file; its subject says who made it. */
  commit(who: string, cwd: string): string {
    this.#count += 1;
    const subject = `${who} ${this.#count}`;
    writeFileSync(join(cwd, `file-${this.#count}`), subject);
    this.gitAs(who, cwd, "add", "--all");
    this.gitAs(who, cwd, "commit", "--quiet", "--message", subject);
    return subject;
  }

  agent(...args: string[]): string {
    return this.gitAs("agent", this.tree, ...args);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const subjects = (work: Work) => work.commits.map(({ subject }) => subject).sort();

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

/** What people and agents do; each may fail, as git's commands do when there is nothing for them to do. */
const steps: Record<string, (scene: Scene) => void> = {
  agentCommits: (scene) => scene.commit("agent", scene.tree),
  agentCommitsNothing: (scene) => scene.agent("commit", "--quiet", "--allow-empty", "--message", "agent nothing"),
  agentAmends: (scene) => {
    if (scene.agent("log", "-1", "--format=%cn") === "agent")
      scene.agent("commit", "--quiet", "--amend", "--no-edit", "--date=now");
  },
  agentBranches: (scene) =>
    scene.agent("checkout", "--quiet", "-b", `fix/${scene.agent("rev-parse", "HEAD").slice(0, 6)}`),
  agentGoesBack: (scene) => scene.agent("checkout", "--quiet", own),
  agentDetaches: (scene) => scene.agent("checkout", "--quiet", "--detach"),
  agentPulls: (scene) => scene.agent("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"),
  agentRebases: (scene) => {
    scene.agent("fetch", "--quiet", "origin");
    scene.agent("rebase", "--quiet", "origin/main");
  },
  agentMergesFeature: (scene) => {
    scene.agent("fetch", "--quiet", "origin");
    scene.agent("merge", "--quiet", "--no-edit", "origin/feature");
  },
  agentPushes: (scene) => scene.agent("push", "--quiet", "origin", "HEAD:refs/heads/pushed"),
  agentPushesOnBase: (scene) => scene.agent("push", "--quiet", "origin", "HEAD:main"),
  colleagueCommits: (scene) => {
    scene.git(scene.at("colleague"), "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main");
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
  },
  colleaguesFeature: (scene) => {
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "--force", "origin", "HEAD:feature");
  },
};
const personsSteps: typeof steps = {
  personCommits: (scene) => scene.commit("person", scene.primary),
  personBranches: (scene) => scene.git(scene.primary, "checkout", "--quiet", "-B", "feature"),
  personReturns: (scene) => scene.git(scene.primary, "checkout", "--quiet", "main"),
  personPulls: (scene) => scene.git(scene.primary, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"),
  personPushes: (scene) => scene.git(scene.primary, "push", "--quiet", "origin", "main"),
};

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

describe("over small histories", { timeout: 120_000 }, () => {
  it.each([
    ["shared", false, { ...steps, ...personsSteps }],
    ["isolated", true, steps],
  ])(
    "%s: the run's commits are those that its agent made and that are on no base branch",
    async (_how, isolated, all) => {
      const history = fc.array(fc.constantFrom(...Object.keys(all)), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(history, async (names) => {
          using scene = await new Scene(isolated).begin();
          for (const name of names) {
            try {
              all[name]?.(scene);
            } catch {
              // Git refused it: then it did not happen. A rebase or merge must not stay half-way.
              for (const what of ["rebase", "merge"]) {
                try {
                  scene.agent(what, "--abort");
                } catch {
                  // None is under way.
                }
              }
            }
          }
          const bases = isolated ? ["origin/main"] : ["main", "origin/main"];
          const log = (...args: string[]) =>
            scene
              .agent("log", "--format=%H %cn", ...args)
              .split("\n")
              .filter((line) => line !== "");
          const expected = log("HEAD", "--branches", "--not", ...bases)
            .filter((line) => line.endsWith(" agent"))
            .map((line) => line.split(" ")[0]);
          const work = await scene.work();
          expect(work.commits.map(({ hash }) => hash).sort()).toEqual(expected.sort());
          // Each of them is on one of the branches that are named.
          const held = work.branches.flatMap(({ name }) => log(`refs/heads/${name}`)).map((line) => line.split(" ")[0]);
          expect(expected.filter((hash) => !held.includes(hash))).toEqual([]);
        }),
        { numRuns: 15 },
      );
    },
  );
});
