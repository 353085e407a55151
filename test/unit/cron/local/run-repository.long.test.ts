import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unsetUpstream } from "../../../../components/cron/local/runs/git.ts";
import { type Declared, prepareRepository, refreshBase } from "../../../../components/cron/local/runs/repository.ts";
import { gitIn } from "../../../../components/git/git.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { startGitServer } from "../../../support/git-server.ts";

let home: string;
let env: Record<string, string>;
const at = (name: string) => join(home, name);
const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: at(cwd), env, encoding: "utf8" }).trim();
const commit = (cwd: string, subject: string) => git(cwd, "commit", "--quiet", "--allow-empty", "--message", subject);
const prepare = (given: Partial<Declared> = {}) =>
  prepareRepository(installationPaths("lab", home), { repo: at("repo"), branch: "main", ...given }, env, undefined);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "run-repository-"));
  env = { PATH: `${process.env["PATH"]}`, HOME: home, GIT_CONFIG_GLOBAL: at("gitconfig"), GIT_CONFIG_NOSYSTEM: "1" };
  for (const [key, value] of [
    ["user.name", "Test"],
    ["user.email", "test@example.com"],
    ["init.defaultBranch", "main"],
  ])
    git("", "config", "--global", `${key}`, `${value}`);
  git("", "init", "--quiet", "--bare", "origin.git");
  git("", "clone", "--quiet", "origin.git", "colleague");
  commit("colleague", "First");
  git("colleague", "push", "--quiet", "origin", "main");
  git("", "clone", "--quiet", "origin.git", "repo");
});
afterEach(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));

const theirs = () => {
  commit("colleague", "Theirs");
  git("colleague", "push", "--quiet", "origin", "main");
};

describe("the base of a repository that is declared by its path", () => {
  it("that is only behind is replaced by the remote's; the local branch and FETCH_HEAD are not changed", async () => {
    theirs();
    const before = git("repo", "rev-parse", "main");
    expect(await prepare()).toEqual({
      folder: at("repo"),
      base: { ref: "refs/remotes/origin/main", name: "origin/main" },
      warnings: [],
    });
    expect(git("repo", "rev-parse", "origin/main")).toBe(git("colleague", "rev-parse", "main"));
    expect(git("repo", "rev-parse", "main")).toBe(before);
    // What was made from it does not follow it.
    git("repo", "branch", "changelings/x", "origin/main");
    await unsetUpstream(gitIn(at("repo"), env), "changelings/x", "refs/remotes/origin/main");
    expect(git("repo", "for-each-ref", "--format=%(upstream)", "refs/heads/changelings/x")).toBe("");
  });

  it("is the local branch when that has all that the remote has", async () => {
    expect((await prepare()).base.name).toBe("main");
    theirs();
    git("repo", "pull", "--quiet");
    commit("repo", "Mine");
    expect(await prepare()).toMatchObject({ base: { name: "main" }, warnings: [] });
  });

  it("is the local branch, with a warning, when both have commits of their own", async () => {
    theirs();
    commit("repo", "Mine");
    const warnings = ["main and origin/main have diverged, so it started from main"];
    expect(await prepare()).toMatchObject({ base: { name: "main" }, warnings });
  });

  it("is the local branch as it is when nothing is to be fetched", async () => {
    theirs();
    const known = git("repo", "rev-parse", "origin/main");
    expect(await prepare({ fetch: false })).toMatchObject({ base: { name: "main" }, warnings: [] });
    await refreshBase(
      installationPaths("lab", home),
      { repo: at("repo"), branch: "main", fetch: false },
      env,
      undefined,
    );
    expect(git("repo", "rev-parse", "origin/main")).toBe(known);
  });

  it("is fetched from the remote and branch that it follows", async () => {
    git("repo", "remote", "rename", "origin", "upstream");
    git("colleague", "push", "--quiet", "origin", "main:release");
    git("repo", "fetch", "--quiet", "upstream");
    git("repo", "branch", "--quiet", "--set-upstream-to=upstream/release", "main");
    commit("colleague", "Theirs");
    git("colleague", "push", "--quiet", "origin", "main:release");
    expect((await prepare()).base).toEqual({ ref: "refs/remotes/upstream/release", name: "upstream/release" });
  });

  it("needs no remote, and no remote branch", async () => {
    git("repo", "branch", "mine");
    expect(await prepare({ branch: "mine" })).toMatchObject({ base: { name: "mine" }, warnings: [] });
    git("repo", "remote", "remove", "origin");
    expect(await prepare()).toMatchObject({ base: { name: "main" }, warnings: [] });
  });

  it("is named so that a tag of its name is not meant", async () => {
    git("repo", "tag", "main");
    expect((await prepare()).base).toEqual({ ref: "refs/heads/main", name: "heads/main" });
  });

  it("is the local state, with a warning, if the remote can't be reached", async () => {
    git("repo", "remote", "set-url", "origin", "http://me:hush@127.0.0.1:1/x.git");
    const { base, warnings } = await prepare();
    expect(base.name).toBe("main");
    expect(warnings).toEqual([
      expect.stringMatching(/^origin could not be fetched, so its base may be outdated: fatal: /),
    ]);
    expect(warnings.join()).not.toContain("hush");
  });

  it("is never asked for: a remote that wants a password is one that can't be reached", async () => {
    await using server = await startGitServer({ token: "hush" });
    server.create("origin", at("origin.git"));
    git("repo", "remote", "set-url", "origin", server.url("origin"));
    expect((await prepare()).warnings).toEqual([expect.stringMatching(/: fatal: could not read Username/)]);
  });
});
