import { afterAll, describe, expect, it } from "vitest";
import { crons, Sandbox } from "../../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("alone");
afterAll(() => sandbox[Symbol.dispose]());

describe("the clone", () => {
  const onModal = (lines: string) => `[changelings.fixme-fairy]\nprovider = "modal"\n${lines}\n`;

  it("of a repository that the stack names is asked for where Modal is", async () => {
    expect(await sandbox.diagnosticsOf(onModal(""), { repo: "alone" })).toEqual([
      "config.toml:2: changelings.fixme-fairy.provider: the stack's changelings:repo: <folder>/alone has no remote: an agent on another machine can't clone it",
      '→ git -C <folder>/alone remote add origin <URL>, or write the https URL itself: repo = "https://…"',
    ]);
  });

  it("is not asked for on this machine", async () => {
    const { fleet, diagnostics } = await sandbox.load('[changelings.fixme-fairy]\nrepo = "alone"');
    expect(diagnostics).toEqual([]);
    expect(crons(fleet)[0]?.remote).toBeUndefined();
  });

  it("has no commits that weren't pushed, which is a warning", async () => {
    using own = new Sandbox();
    const repo = own.repo("app", ["main", "new", "old"]);
    own.git("-C", repo, "remote", "add", "origin", "https://me:hunter2@github.com/me/app");
    own.git("-C", repo, "remote", "add", "fork", "https://github.com/you/app");
    for (const branch of ["main", "old"]) own.git("-C", repo, "update-ref", `refs/remotes/origin/${branch}`, branch);
    const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
    const commit = (message: string) =>
      own.git("-C", repo, ...identity, "commit", "--quiet", "--allow-empty", "-m", message);
    commit("Second");
    const reported = (lines: string) => own.diagnosticsOf(onModal(`repo = "app"\n${lines}`));
    expect(await reported("")).toEqual([
      'config.toml:1: warning: changelings.fixme-fairy: the branch "main" has 1 commit that origin does not have, and agents on Modal clone it from there',
      "→ git -C <folder>/app push origin main",
    ]);
    commit("Third");
    expect(await reported('image = "snapshot"\nbranch = "main"')).toEqual([
      'config.toml:5: warning: changelings.fixme-fairy.branch: the branch "main" has 2 commits that origin does not have, and agents on Modal clone it from there',
      "→ git -C <folder>/app push origin main",
    ]);
    expect(await reported('branch = "new"')).toEqual([
      'config.toml:4: warning: changelings.fixme-fairy.branch: the branch "new" was never pushed to origin, and agents on Modal clone it from there',
      "→ git -C <folder>/app push origin new",
    ]);
    // A branch that is behind lacks nothing, and what is pinned is judged when it is pinned.
    own.git("-C", repo, "update-ref", "refs/remotes/origin/old", "main");
    expect(await reported('branch = "old"')).toEqual([]);
    expect(await reported('image = "pinned"')).toEqual([]);
    const { fleet } = await own.load(onModal('repo = "app"'));
    expect(crons(fleet)[0]?.remote).toBe("https://github.com/me/app");
    own.git("-C", repo, "config", "branch.main.remote", "fork");
    own.git("-C", repo, "config", "branch.main.merge", "refs/heads/main");
    own.git("-C", repo, "update-ref", "refs/remotes/fork/main", "main");
    const followed = await own.load(onModal('repo = "app"'));
    expect(crons(followed.fleet)[0]?.remote).toBe("https://github.com/you/app");
    expect(followed.diagnostics).toEqual([]);
  });

  it("is looked for once in each repository, and each branch is compared once", async () => {
    using own = new Sandbox();
    for (const name of ["one", "two"]) {
      const repo = own.repo(name);
      own.git("-C", repo, "remote", "add", "origin", "https://github.com/me/app");
      own.git("-C", repo, "update-ref", "refs/remotes/origin/main", "main");
    }
    const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
    own.git("-C", `${own.folder}/one`, ...identity, "commit", "--quiet", "--allow-empty", "-m", "Second");
    const { environment, calls } = own.countedGit();
    const text = Array.from({ length: 100 }, (_, index) => {
      const name = index % 2 ? "one" : "two";
      return `[changelings.c-${index}]\nagent_type = "claude"\nprovider = "modal"\nrepo = "${name}"\n`;
    });
    const { fleet, diagnostics } = await own.load(text.join(""), { environment });
    expect(fleet?.changelings).toHaveLength(100);
    expect(diagnostics).toHaveLength(50);
    // Branches and remotes of each, and what the one's branch is ahead.
    expect(calls()).toBe(2 + 2 + 1);
  });
});
