import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { gitCredentials, hostCredentials } from "../../../components/git/credentials.ts";
import type { Problem } from "../../../components/git/remote.ts";
import { type Branch, type Tip, tipsOf } from "../../../components/source/tip.ts";
import { portOf } from "../../support/fault-proxy.ts";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { Repository } from "../../support/repository.ts";

const past = { author: "Ada", at: "2026-01-02T03:04:05Z" };

/** git with a server in this very process: it must not block. */
async function git(repository: Repository, ...args: string[]): Promise<void> {
  await promisify(execFile)("git", args, { cwd: repository.folder, env: repository.env });
}

/** A repository whose main branch is on the server. */
async function pushed(server: GitServer): Promise<Repository> {
  const repository = new Repository();
  repository.commit({ a: "1" }, past);
  server.create("app");
  repository.git("remote", "add", "origin", server.url("app"));
  await git(repository, "push", "--quiet", "--set-upstream", "origin", "main");
  return repository;
}

async function tip(of: Branch, repository: Repository, options: { checkRemotes?: boolean; token?: string } = {}) {
  const credentials = (url: string) => gitCredentials(url, options.token);
  const look = { environment: repository.env, checkRemotes: options.checkRemotes ?? false, credentials };
  return (await tipsOf([of], look))(of);
}

describe("the tip of a local branch", () => {
  test("is its own commit, with its subject", async () => {
    await using server = await startGitServer();
    using repository = await pushed(server);
    repository.git(
      "-c",
      "user.name=A",
      "-c",
      "user.email=a@e.org",
      "commit",
      "--allow-empty",
      "-qm",
      `Fix ${"x".repeat(200)}\n\nbody`,
    );
    const of = { repo: repository.folder, branch: "main" };
    expect(await tip(of, repository)).toEqual({
      commit: repository.git("rev-parse", "main"),
      subject: `Fix ${"x".repeat(96)}`,
      isDirty: false,
      unpushed: 1,
      remote: "origin",
    } satisfies Tip);
    expect(server.requests.filter(({ path }) => path.includes("upload-pack"))).toEqual([]);
  });

  test("is the remote's where the branch is only there", async () => {
    await using server = await startGitServer();
    using repository = await pushed(server);
    await git(repository, "push", "--quiet", "origin", "main:release");
    const found = await tip({ repo: repository.folder, branch: "release" }, repository);
    expect(found).toMatchObject({ commit: repository.git("rev-parse", "main"), unpushed: 0 });
    expect(await tip({ repo: repository.folder, branch: "relaese" }, repository)).toEqual({
      message: 'the repository has no branch "relaese"',
      remedy: "create the branch, or name another",
    });
  });

  test("is beside changes where the branch is checked out, untracked files included and ignored ones not", async () => {
    using repository = new Repository();
    repository.commit({ a: "1", ".gitignore": "*.log\n" }, past);
    repository.git("branch", "other");
    const isDirty = async (branch: string) => {
      const found = await tip({ repo: repository.folder, branch }, repository);
      return found !== undefined && "isDirty" in found ? found.isDirty : found;
    };
    repository.write({ "b.log": "" });
    expect(await isDirty("main")).toBe(false);
    repository.write({ b: "" });
    expect([await isDirty("main"), await isDirty("other")]).toEqual([true, false]);
    repository.write({ b: null, a: "2" });
    expect([await isDirty("main"), await isDirty("other")]).toEqual([true, false]);
  });

  test.each([false, true])("is pushed when the remote has it on any branch (asked: %s)", async (checkRemotes) => {
    await using server = await startGitServer();
    using repository = await pushed(server);
    const unpushed = async () => {
      const found = await tip({ repo: repository.folder, branch: "main" }, repository, { checkRemotes });
      return found !== undefined && "unpushed" in found ? found.unpushed : found;
    };
    expect(await unpushed()).toBe(0);
    repository.commit({ a: "2" }, past);
    repository.commit({ a: "3" }, past);
    expect(await unpushed()).toBe(2);
    await git(repository, "push", "--quiet", "origin", "main:review");
    expect(await unpushed()).toBe(0);
    repository.commit({ a: "4" }, past);
    await git(repository, "push", "--quiet", "origin", "main");
    repository.git("reset", "--quiet", "--hard", "HEAD^");
    expect(await unpushed()).toBe(0);
  });

  test("is read again when the remote is: what the last fetch saw may be gone, or there may be more", async () => {
    await using server = await startGitServer();
    using repository = await pushed(server);
    const bare = server.create("other");
    repository.git("remote", "set-url", "origin", server.url("other"));
    const of = { repo: repository.folder, branch: "main" };
    expect(await tip(of, repository)).toMatchObject({ unpushed: 0 });
    expect(await tip(of, repository, { checkRemotes: true })).toMatchObject({ unpushed: 1 });
    // Somebody else pushed upon it.
    await git(repository, "push", "--quiet", "origin", "main");
    using other = new Repository(bare);
    other.commit({ b: "theirs" }, past);
    other.git("push", "--quiet", bare, "HEAD:main");
    expect(await tip(of, repository, { checkRemotes: true })).toMatchObject({ unpushed: 0 });
  });

  test("is not known to be pushed when the remote can't be asked, or there is none", async () => {
    using repository = new Repository();
    repository.commit({ a: "1" }, past);
    const of = { repo: repository.folder, branch: "main" };
    expect(await tip(of, repository)).toMatchObject({ unpushed: undefined, remote: undefined });
    repository.git("remote", "add", "origin", "http://127.0.0.1:1/app.git");
    expect(await tip(of, repository, { checkRemotes: true })).toMatchObject({ unpushed: undefined, remote: "origin" });
  });

  test("is not there where git finds no repository", async () => {
    using repository = new Repository();
    const found = await tip({ repo: join(repository.folder, "nothing"), branch: "main" }, repository);
    expect(found).toMatchObject({ message: expect.stringContaining("git can't read") });
  });
});

describe("the tip of a URL's branch", () => {
  test("is asked for in one go, whatever the number of branches and changelings", async () => {
    await using server = await startGitServer();
    using repository = await pushed(server);
    await git(repository, "push", "--quiet", "origin", "main:release");
    const asked = server.requests.length;
    const repo = server.url("app");
    const wanted = ["main", "release", "main", "mian"].map((branch) => ({ repo, branch }));
    const found = await tipsOf(wanted, { environment: repository.env, checkRemotes: false });
    const known = { subject: undefined, isDirty: false, unpushed: 0, remote: undefined };
    const commit = repository.git("rev-parse", "main");
    expect(wanted.map((each) => found(each))).toEqual([
      { commit, ...known },
      { commit, ...known },
      { commit, ...known },
      { message: 'the repository has no branch "mian"', remedy: 'did you mean branch = "main"?' },
    ] satisfies (Tip | Problem)[]);
    expect(server.requests.slice(asked).map(({ path }) => path)).toEqual([
      "/app.git/info/refs?service=git-upload-pack",
      "/app.git/git-upload-pack",
    ]);
    expect(found({ repo, branch: "never asked for" })).toBeUndefined();
  });

  test("is reported in words if no server answers, without a prompt for a password", async () => {
    await using server = await startGitServer({ token: "right" });
    using repository = new Repository();
    server.create("app");
    expect(await tip({ repo: server.url("app"), branch: "main" }, repository, { token: "right" })).toEqual({
      message: `${server.url("app")} can't be asked for its commits: git has no access`,
      remedy: `check: git ls-remote ${server.url("app")}`,
    });
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const port = portOf(silent);
    silent.close();
    expect(await tip({ repo: `http://127.0.0.1:${port}/app.git`, branch: "main" }, repository)).toMatchObject({
      message: `http://127.0.0.1:${port}/app.git can't be asked for its commits: the host can't be reached`,
    });
  });

  test("is asked for with the token of those who work on it, whatever its host", async () => {
    await using server = await startGitServer({ token: "right" });
    await using other = await startGitServer({ token: "right" });
    using repository = new Repository();
    repository.commit({ a: "1" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
    server.create("app", repository.folder);
    const commit = repository.git("rev-parse", "HEAD");
    const ask = async (repo: string, env: NodeJS.ProcessEnv = {}) => {
      const credentials = (url: string) => hostCredentials(url, "right");
      const look = { environment: { ...repository.env, ...env }, checkRemotes: false, credentials };
      return (await tipsOf([{ repo, branch: "main" }], look))({ repo, branch: "main" });
    };
    expect(await ask(server.url("app"))).toMatchObject({ commit });
    // Another host that git is led to does not get it.
    const config = join(dirname(repository.folder), "gitconfig");
    writeFileSync(config, `[url "${server.url("app")}"]\n\tinsteadOf = ${other.url("app")}\n`);
    expect(await ask(other.url("app"), { GIT_CONFIG_GLOBAL: config })).toMatchObject({
      message: `${other.url("app")} can't be asked for its commits: git has no access`,
    });
  });

  test.each([
    ["https://gitlab.example.com/me/app", "gitlab.example.com"],
    ["https://me@git.example.com:8443/app.git", "git.example.com:8443"],
    ["http://127.0.0.1:3000/app", "127.0.0.1:3000"],
    ["http://git.example.com/app", undefined],
    ["git@github.com:me/app.git", undefined],
    ["ssh://git@github.com/me/app", undefined],
    ["/home/me/app", undefined],
    ["https://github.com@evil.example/me/app", "evil.example"],
  ])("%s gets a token for its own host", (url, host) => {
    expect(hostCredentials(url, "t")["CHANGELINGS_GIT_HOST"]).toBe(host);
    expect(gitCredentials(url, "t")).toEqual({});
    expect(hostCredentials(url, undefined)).toEqual({});
  });

  test("is asked for with the token, where github.com is asked; which stands in no argument", async () => {
    using repository = new Repository();
    const bin = mkdtempSync(join(tmpdir(), "fake-git-"));
    try {
      const log = join(bin, "log");
      mkdirSync(join(bin, "bin"));
      const answer = `printf '${"a".repeat(40)}\\trefs/heads/main\\n'`;
      const fake = `#!/bin/sh\nsite=\${4%/me/app}\necho "$* $($GIT_ASKPASS "Username for '$site': ") $($GIT_ASKPASS "Password for '$site': ")" >>'${log}'\n${answer}\n`;
      writeFileSync(join(bin, "bin", "git"), fake, { mode: 0o755 });
      const PATH = [join(bin, "bin"), process.env["PATH"]].join(delimiter);
      const look = {
        environment: { ...repository.env, PATH },
        checkRemotes: false,
        credentials: (url: string) => gitCredentials(url, "ghp_x"),
      };
      for (const host of ["github.com", "github.com.example.org"]) {
        await tipsOf([{ repo: `https://${host}/me/app`, branch: "main" }], look);
      }
      expect(existsSync(log) && readFileSync(log, "utf8").split("\n")).toEqual([
        "ls-remote --heads -- https://github.com/me/app x-access-token ghp_x",
        "ls-remote --heads -- https://github.com.example.org/me/app  ",
        "",
      ]);
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});
