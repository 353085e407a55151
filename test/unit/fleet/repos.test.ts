import { type AddressInfo, createServer } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { observeRepos } from "../../../components/git/refs.ts";
import { absoluteRepo, isBranchName, isRepoUrl, shownRepo, urlProblem } from "../../../components/git/repo-name.ts";
import { inParallel } from "../../../components/lib/parallel.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const app = sandbox.repo("app", ["main", "feature/x"]);
sandbox.repo("empty", []);
afterAll(() => sandbox[Symbol.dispose]());

const changeling = (lines: string) => `[changelings.fixme-fairy]\n${lines}\n`;

describe("isRepoUrl", () => {
  it.each(["https://github.com/a/b", "ssh://git@h/p", "git@github.com:a/b.git", "file:///tmp/x", "ext::sh"])(
    "%s",
    (repo) => {
      expect(isRepoUrl(repo)).toBe(true);
      expect(absoluteRepo(repo, { folder: "/f", home: "/h" })).toBe(repo);
    },
  );

  it.each([
    ["/a/b", "/a/b"],
    ["/a/../b/", "/b/"],
    ["a/b", "/f/a/b"],
    ["../b", "/b"],
    [".", "/f"],
    ["~", "/h"],
    ["~/b", "/h/b"],
    ["~b", "/f/~b"],
    ["./a@b:c", "/f/a@b:c"],
    ["-c", "/f/-c"],
  ])("not %s", (repo, path) => {
    expect(isRepoUrl(repo)).toBe(false);
    expect(absoluteRepo(repo, { folder: "/f", home: "/h" })).toBe(path);
  });
});

describe("a URL", () => {
  it.each([
    "https://github.com/a/b",
    "https://org@dev.azure.com/org/p/_git/r",
    "ssh://git@h:22/p",
    "git@github.com:a/b.git",
    "file:///tmp/x",
  ])("%s is fine", (repo) => expect(urlProblem(repo)).toBeUndefined());

  it.each([
    ["https://me:hunter2@example.com/a?token=x", "https://example.com/a"],
    ["ssh://git:hunter2@example.com/a", "ssh://git@example.com/a"],
    ["https://github.com/a/b", "https://github.com/a/b"],
    ["git@github.com:a/b.git", "git@github.com:a/b.git"],
    ["https://me:hunter2@example.com:port/a?token=x", "https://example.com:port/a"],
    ["https://hunter2@[example/a", "https://[example/a"],
  ])("%s is shown as %s", (repo, shown) => {
    expect(shownRepo(repo)).toBe(shown);
  });
});

describe("isBranchName", () => {
  it.each(["main", "feature/x", "a.b", "a-b_c", "ü", "a@b"])("%s", (name) => expect(isBranchName(name)).toBe(true));

  it.each([
    "",
    "-a",
    "a b",
    "a..b",
    "a:b",
    "a~1",
    "a^",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.",
    "a.lock",
    "a.lock/b",
    "@",
    "HEAD",
    "a@{1}",
    "a\u007f",
  ])("not %j", (name) => expect(isBranchName(name)).toBe(false));

  it("as git has it", () => {
    for (const name of ["main", "a..b", "a.lock", "a/.b", "a@b", "@", "-a", "a b", "a@{1}", "x.lock/b", "a/b"]) {
      let isFine = true;
      try {
        sandbox.git("check-ref-format", "--branch", name);
      } catch {
        isFine = false;
      }
      // git resolves `@` to the current branch here.
      if (name !== "@") expect([name, isBranchName(name)]).toEqual([name, isFine]);
    }
  });
});

describe("a branch", () => {
  it("that only the remote has suffices", async () => {
    sandbox.git("clone", "--quiet", app, `${sandbox.folder}/clone`);
    expect(await sandbox.diagnosticsOf(changeling('repo = "clone"\nbranch = "feature/x"'))).toEqual([]);
    expect(await sandbox.diagnosticsOf(changeling('repo = "clone"\nbranch = "HEAD"'))).toHaveLength(2);
    expect((await sandbox.diagnosticsOf(changeling('repo = "clone"\nbranch = "origin"')))[0]).toContain("no branch");
  });

  it("is no tag and no commit", async () => {
    sandbox.git("-C", app, "tag", "v1");
    const commit = sandbox.git("-C", app, "rev-parse", "HEAD").trim();
    for (const branch of ["v1", commit]) {
      expect((await sandbox.diagnosticsOf(changeling(`repo = "app"\nbranch = "${branch}"`)))[0]).toBe(
        `config.toml:3: changelings.fixme-fairy.branch: the repository has no branch "${branch}"`,
      );
    }
  });

  it("is read from the repository, whatever GIT_DIR says", async () => {
    const environment = { ...sandbox.environment, GIT_DIR: "/nowhere", GIT_WORK_TREE: "/nowhere" };
    expect((await sandbox.load(changeling('repo = "app"'), { environment })).diagnostics).toEqual([]);
  });

  it("can't be looked for without git", async () => {
    const environment = { ...sandbox.environment, PATH: sandbox.home };
    expect(sandbox.words((await sandbox.load(changeling('repo = "app"'), { environment })).diagnostics)).toEqual([
      "config.toml:2: changelings.fixme-fairy.repo: git can't be run",
      "→ install git, and make sure that it is on PATH",
    ]);
  });
});

describe("a remote repository", () => {
  const reported = (repo: string, more = "") =>
    sandbox.diagnosticsOf(changeling(`repo = "${repo}"\n${more}`), { checkRemotes: true });

  it("is asked only when that is wanted", async () => {
    expect(await sandbox.diagnosticsOf(changeling(`repo = "file://${app}-not-there"`))).toEqual([]);
  });

  it("has its branches", async () => {
    expect(await reported(`file://${app}`, 'branch = "feature/x"')).toEqual([]);
    expect(await reported(`file://${app}`, 'branch = "featur/x"')).toEqual([
      'config.toml:3: changelings.fixme-fairy.branch: the repository has no branch "featur/x"',
      '→ did you mean branch = "feature/x"?',
    ]);
  });

  it("has commits", async () => {
    expect(await reported(`file://${sandbox.folder}/empty`)).toEqual([
      "config.toml:2: changelings.fixme-fairy.repo: the repository has no commits yet",
      "→ push a first commit to it",
    ]);
  });

  it("is there", async () => {
    expect(await reported(`file://${sandbox.folder}/nowhere`)).toEqual([
      "config.toml:2: changelings.fixme-fairy.repo: there is no repository at file://<folder>/nowhere",
      "→ correct the URL, or create the repository",
    ]);
  });

  it("that can't be reached is a warning: the network may be back when a run needs it", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const port = portOf(server.address());
    await new Promise((closed) => server.close(closed));
    expect(await reported(`git://127.0.0.1:${port}/a`)).toEqual([
      `config.toml:2: warning: changelings.fixme-fairy.repo: git://127.0.0.1:${port}/a can't be checked: the host can't be reached`,
      `→ check: git ls-remote git://127.0.0.1:${port}/a`,
    ]);
  });

  it("that doesn't answer is given up", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `git://127.0.0.1:${portOf(server.address())}/a`;
    try {
      const known = await observeRepos([url], {
        environment: sandbox.environment,
        checkRemotes: true,
        remoteSeconds: 1,
      });
      expect(known.get(url)).toEqual({
        message: `${url} didn't answer within 1 s`,
        remedy: `check: git ls-remote ${url}`,
        isCertain: false,
      });
    } finally {
      server.close();
    }
  });
});

describe("inParallel", () => {
  it("works through all, and never at more than its width", async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++now);
      await new Promise((later) => setImmediate(later));
      done.push(item);
      now--;
    });
    expect(most).toBe(3);
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
