import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fetchBundle } from "../../../../scripts/changeling/sandbox/pull.ts";
import { Repository } from "../../../support/repository.ts";

const past = { author: "Mira (Harvest)", at: "2026-11-01T10:00:00Z" };
const identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];

describe("fetching a session's commits", () => {
  let agent: Repository;
  let clone: Repository;

  beforeEach(() => {
    agent = new Repository();
    agent.commit({ "README.md": "one\n" }, past);
    clone = new Repository(agent.folder);
  });
  afterEach(() => {
    clone[Symbol.dispose]();
    agent[Symbol.dispose]();
  });

  const bundle = () => {
    const file = join(dirname(agent.folder), "work.bundle");
    agent.git("bundle", "create", "--quiet", file, "HEAD", `^${clone.git("rev-parse", "HEAD")}`);
    return readFileSync(file, "base64");
  };
  const fetched = () => fetchBundle({ bundle: bundle(), folder: clone.folder, branch: "harvest/app", force: false });

  it("makes the branch, and says which commits are new", async () => {
    agent.commit({ "README.md": "two\n" }, past);
    const first = agent.git("rev-parse", "HEAD");
    expect(await fetched()).toEqual({ commit: first, commits: 1 });
    agent.commit({ "README.md": "three\n" }, past);
    expect(await fetched()).toEqual({ commit: agent.git("rev-parse", "HEAD"), commits: 1 });
    agent.git("reset", "--quiet", "--hard", first);
    agent.commit({ "README.md": "other\n" }, past);
    await expect(fetched()).rejects.toThrow("branch harvest/app has other commits; replace them with --force");
  });

  it("rejects a tree that would write into .git", async () => {
    const blob = agent.git("rev-parse", "HEAD:README.md");
    const tree = (entry: string) => agent.run("sh", ["-c", 'printf "$1" | git mktree', "sh", entry]).stdout.trim();
    const evil = tree(`040000 tree ${tree(`100644 blob ${blob}\\tconfig\\n`)}\\t.git\\n`);
    const commit = agent.git(...identity, "commit-tree", "-p", "HEAD", "-m", "evil", evil);
    agent.git("update-ref", "refs/heads/main", commit);
    await expect(fetched()).rejects.toThrow(/hasDotgit|fsck/i);
    expect(clone.run("git", ["rev-parse", "--quiet", "--verify", "harvest/app"]).code).not.toBe(0);
    expect(clone.run("git", ["cat-file", "-e", evil]).code).not.toBe(0);
  });
});
