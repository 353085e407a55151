import { describe, expect, test } from "vitest";
import { remoteOf } from "../../../components/git/source-remote.ts";
import { Repository } from "../../support/repository.ts";

/** With the folder's name taken out of the words. */
async function remote(repository: Repository, branch = "main") {
  const found = await remoteOf({ repo: repository.folder, branch }, repository.env);
  return JSON.parse(JSON.stringify(found).replaceAll(repository.folder, "<repo>"));
}

describe("the remote of a repository", () => {
  test("is the URL itself, as https", async () => {
    const of = (repo: string) => remoteOf({ repo, branch: "main" }, {});
    expect(await of("git@github.com:me/app.git")).toEqual({ url: "https://github.com/me/app.git" });
    expect(await of("file:///srv/app.git")).toEqual({
      message: "the repository is file:///srv/app.git, which an agent on another machine can't reach by https",
      remedy: 'write its https URL: repo = "https://…"',
    });
  });

  test("is the one that the branch follows, else origin, else the only one", async () => {
    using repository = new Repository();
    repository.commit({ a: "1" }, { author: "Ada", at: "2026-01-02T03:04:05Z" });
    repository.git("remote", "add", "mine", "git@github.com:me/app.git");
    expect(await remote(repository)).toEqual({ url: "https://github.com/me/app.git", name: "mine" });
    repository.git("remote", "add", "theirs", "https://github.com/them/app");
    expect(await remote(repository)).toEqual({
      message: "<repo> has several remotes (mine, theirs), and no origin: an agent on another machine can't clone it",
      remedy: 'git -C <repo> remote add origin <URL>, or write the https URL itself: repo = "https://…"',
    });
    repository.git("remote", "add", "origin", "ssh://git@example.com:2222/o/app.git");
    expect(await remote(repository)).toEqual({ url: "https://example.com/o/app.git", name: "origin" });
    repository.git("config", "branch.main.remote", "theirs");
    repository.git("config", "branch.main.merge", "refs/heads/main");
    expect(await remote(repository)).toEqual({ url: "https://github.com/them/app", name: "theirs" });
    expect(await remote(repository, "other")).toEqual({ url: "https://example.com/o/app.git", name: "origin" });
  });

  test("is the one that git itself uses, without its credentials", async () => {
    using repository = new Repository();
    repository.git("config", "url.https://me:secret@github.com/.insteadOf", "gh:");
    repository.git("remote", "add", "origin", "gh:me/app");
    expect(await remote(repository)).toEqual({ url: "https://github.com/me/app", name: "origin" });
  });

  test("is missed with the command that adds it", async () => {
    using repository = new Repository();
    expect(await remote(repository)).toEqual({
      message: "<repo> has no remote: an agent on another machine can't clone it",
      remedy: 'git -C <repo> remote add origin <URL>, or write the https URL itself: repo = "https://…"',
    });
    repository.git("remote", "add", "origin", "../elsewhere");
    expect(await remote(repository)).toEqual({
      message: "its remote origin is ../elsewhere, which an agent on another machine can't reach by https",
      remedy: 'git -C <repo> remote set-url origin <URL>, or write the https URL itself: repo = "https://…"',
    });
  });

  test("is not found where git finds no repository", async () => {
    const found = await remoteOf({ repo: "/nowhere/at/all", branch: "main" }, { PATH: process.env["PATH"] });
    expect(found).toEqual({
      message: "git can't read /nowhere/at/all: cannot change to '/nowhere/at/all': No such file or directory",
      remedy: "see what git -C /nowhere/at/all status says",
    });
  });
});
