import { execFile } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { httpsRemote } from "../../../components/git/remote.ts";
import { startGitServer } from "../../support/git-server.ts";
import { Repository } from "../../support/repository.ts";
import { digest, oddRepository, past, TarBench } from "../../support/tar-bench.ts";

/** Everything below a folder but .git: kind, permissions and contents by path. */
function treeOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path !== ".git" && !path.startsWith(".git/"))
    .sort();
  return Object.fromEntries(
    entries.map((path) => {
      const file = join(folder, path);
      const stat = lstatSync(file);
      if (stat.isSymbolicLink()) return [path, `link to ${readlinkSync(file)}`];
      if (stat.isDirectory()) return [path, "folder"];
      return [path, `${(stat.mode & 0o100) === 0 ? "file" : "program"} ${digest(file)}`];
    }),
  );
}

describe("what it holds", () => {
  test("is the commit, whatever its files are called, and nothing else of the source", async () => {
    using bench = new TarBench();
    using source = oddRepository();
    const wanted = treeOf(source.folder);
    source.write({ untracked: "x", ignored: "x", "plain.txt": "edited" });
    source.git("tag", "v1");
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "HEAD"));
    expect(treeOf(unpacked.folder)).toEqual(wanted);
    expect(unpacked.git("status", "--porcelain", "--ignored", "--branch")).toBe("## main...origin/main");
    expect(unpacked.git("rev-parse", "HEAD")).toBe(source.git("rev-parse", "HEAD"));
    expect(unpacked.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main\nrefs/remotes/origin/main");
    unpacked.git("fsck", "--strict", "--no-dangling");
  });

  test("as .git has no more than a repository needs, and nothing of the machine", async () => {
    using bench = new TarBench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    source.commit({ a: "2" }, past);
    source.git("remote", "add", "origin", "https://me:secret@example.com/me/app.git");
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "HEAD", { BRANCH: "release/1" }));
    const files = readdirSync(join(unpacked.folder, ".git"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(unpacked.folder.length + 1))
      .map((path) => path.replace(/[0-9a-f]{40}/, "<hash>"));
    expect(files.sort()).toEqual([
      ".git/HEAD",
      ".git/config",
      ".git/index",
      ".git/objects/pack/pack-<hash>.idx",
      ".git/objects/pack/pack-<hash>.pack",
      ".git/refs/heads/release/1",
      ".git/refs/remotes/origin/release/1",
      ".git/shallow",
    ]);
    expect(readFileSync(join(unpacked.folder, ".git/config"), "utf8").replaceAll("\t", "  ")).toBe(`[core]
  repositoryformatversion = 0
  filemode = true
  bare = false
  logallrefupdates = true
[remote "origin"]
  url = https://example.com/me/app.git
  fetch = +refs/heads/*:refs/remotes/origin/*
[branch "release/1"]
  remote = origin
  merge = refs/heads/release/1
`);
  });

  test("lets an agent branch, commit and push", async () => {
    using bench = new TarBench();
    await using server = await startGitServer();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    source.commit({ a: "2" }, past);
    const bare = server.create("app", source.folder);
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "main", { ORIGIN: server.url("app") }));
    unpacked.git("switch", "--quiet", "--create", "changelings/1");
    unpacked.commit({ b: "new" }, past);
    await promisify(execFile)("git", ["push", "--quiet", "origin", "changelings/1"], {
      cwd: unpacked.folder,
      env: unpacked.env,
    });
    expect(source.git("-C", bare, "log", "--format=%s %h", "changelings/1").split("\n")).toHaveLength(3);
  });

  test.each(["origin-less", "origin by path"])("has no origin for a repository that is %s", async (kind) => {
    using bench = new TarBench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    if (kind === "origin by path") source.git("remote", "add", "origin", "file:///srv/app.git");
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "main"));
    expect(unpacked.git("remote")).toBe("");
    expect(unpacked.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  test.each([
    "git@github.com:me/app.git",
    "github.com:me/app",
    "git@ssh.github.com:me/app.git",
    "ssh://git@altssh.gitlab.com:443/me/app.git",
    "ssh://git@example.com:2222/me/app.git",
    "git+ssh://git@example.com/me/app.git",
    "https://example.com/me/app",
    "https://token@example.com:8443/me/app.git",
    "https://me:secret@example.com/me/app.git?x=1#y",
    "http://127.0.0.1:8080/app.git",
  ])("has the origin that agents elsewhere have: %s", async (url) => {
    using bench = new TarBench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    source.git("remote", "add", "origin", url);
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "main"));
    expect(unpacked.git("remote", "get-url", "origin")).toBe(httpsRemote(url));
  });
});

describe("history", () => {
  /** Each commit's parents, as indexes of earlier commits. */
  const histories = fc
    .array(fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 2 }), { maxLength: 8 })
    .map((rows) => rows.map((row, index) => [...new Set(row.map((parent) => parent % (index + 1)))]));

  test("is as deep as a clone of that depth, merges included", async () => {
    using bench = new TarBench();
    await fc.assert(
      fc.asyncProperty(histories, fc.integer({ min: 1, max: 5 }), async (history, depth) => {
        using source = new Repository();
        source.commit({ a: "1" }, past);
        const tree = source.git("rev-parse", "HEAD^{tree}");
        const commits = [source.git("rev-parse", "HEAD")];
        for (const [index, parents] of history.entries()) {
          const options = parents.flatMap((parent) => ["-p", commits[parent] ?? ""]);
          const who = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
          commits.push(source.git(...who, "commit-tree", tree, ...options, "-m", String(index)));
        }
        source.git("update-ref", "refs/heads/main", commits.at(-1) ?? "");
        using clone = new Repository(source.folder, `--depth=${depth}`);
        const env = { HISTORY_DEPTH: String(depth) };
        using unpacked = bench.unpacked(await bench.tarball(source.folder, "main", env));
        const log = ["log", "--format=%H %P", "--topo-order"] as const;
        expect(unpacked.git(...log)).toBe(clone.git(...log));
        // git also lists a first commit there, whose parents nobody misses.
        expect(shallowOf(unpacked)).toEqual(shallowOf(clone).filter((commit) => commit !== commits[0]));
      }),
      { numRuns: 12 },
    );
  });

  function shallowOf(repository: Repository): string[] {
    const file = join(repository.folder, ".git", "shallow");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").sort() : [];
  }
});
