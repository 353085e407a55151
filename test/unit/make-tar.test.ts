import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { httpsRemote } from "../../components/fleet/remote.ts";
import { projectFolder } from "../../scripts/project.ts";
import { startGitServer } from "../support/git-server.ts";
import { type Ended, Repository } from "../support/repository.ts";

const script = join(projectFolder, "scripts", "make_tar_of_repo.sh");
const past = { author: "Ada", at: "2026-01-02T03:04:05+06:00" };
const origin = "https://example.com/me/app.git";

/** A folder for tarballs, with a temporary folder of its own for the script. Removed by `using`. */
class Bench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "make-tar-"));
  readonly temporary = join(this.folder, "tmp");
  #count = 0;

  constructor() {
    mkdirSync(this.temporary);
  }

  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const all = {
      PATH: process.env["PATH"],
      HOME: this.folder,
      TMPDIR: this.temporary,
      GIT_CONFIG_GLOBAL: "/dev/null",
    };
    try {
      const options = {
        cwd: this.folder,
        env: { ...all, GIT_CONFIG_NOSYSTEM: "1", ...env },
        encoding: "utf8",
      } as const;
      return { code: 0, ...(await promisify(execFile)(script, args, options)) };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  }

  /** Makes a tarball under a new name. @returns its path */
  async tarball(repo: string, commit: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const out = join(this.folder, `${this.#count++}.tar.gz`);
    const { code, stdout, stderr } = await this.run([repo, commit, out], env);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    return out;
  }

  /** @returns the repository that a tarball holds */
  unpacked(tarball: string): Repository {
    const repository = new Repository();
    rmSync(join(repository.folder, ".git"), { recursive: true });
    const { code, stderr } = repository.run("tar", ["-xzf", tarball]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return repository;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** A repository with one commit of everything that is easily lost on the way. */
function oddRepository(): Repository {
  const repository = new Repository();
  repository.write({
    "plain.txt": "plain\n",
    "run.sh": "#!/bin/sh\n",
    "deep/er/file": Buffer.from([0, 255, 10, 13]),
    "left-out.txt": "of archives",
    "subst.txt": "$Format:%H$ $Id$\n",
    "with\nnewline": "1",
    "with 'quotes\" and \\": "2",
    "grüße/日本.txt": "3",
    [`${"long/".repeat(40)}name`]: "4",
    "-option": "5",
    ".gitattributes": "left-out.txt export-ignore\nsubst.txt export-subst\n*.bin filter=lfs\nunix.txt text eol=lf\n",
    "pointer.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    ".gitignore": "ignored\n",
    "unix.txt": "a\nb\n",
    empty: "",
  });
  chmodSync(join(repository.folder, "run.sh"), 0o755);
  symlinkSync("deep/er/file", join(repository.folder, "link"));
  symlinkSync("/nowhere", join(repository.folder, "dangling"));
  repository.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},submodule`);
  mkdirSync(join(repository.folder, "submodule"));
  repository.commit({}, past);
  repository.git("remote", "add", "origin", origin);
  return repository;
}

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
    using bench = new Bench();
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
    using bench = new Bench();
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
    using bench = new Bench();
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
    using bench = new Bench();
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
    using bench = new Bench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    source.git("remote", "add", "origin", url);
    using unpacked = bench.unpacked(await bench.tarball(source.folder, "main"));
    expect(unpacked.git("remote", "get-url", "origin")).toBe(httpsRemote(url));
  });
});

describe("the same bytes", () => {
  test("whoever makes it, from whatever copy, with whatever settings", async () => {
    using bench = new Bench();
    using source = oddRepository();
    const wanted = digest(await bench.tarball(source.folder, "HEAD"));
    const commit = source.git("rev-parse", "HEAD");

    const templates = join(bench.folder, "templates");
    mkdirSync(join(templates, "hooks"), { recursive: true });
    writeFileSync(join(templates, "hooks", "post-checkout"), "#!/bin/sh\n", { mode: 0o755 });
    const attributes = join(bench.folder, "attributes");
    writeFileSync(attributes, "* export-ignore text eol=crlf\n");
    const settings = join(bench.folder, "gitconfig");
    writeFileSync(
      settings,
      `[init]\n  templateDir = ${templates}\n  defaultBranch = trunk\n[core]\n  autocrlf = true\n  eol = crlf\n` +
        `  attributesFile = ${attributes}\n  compression = 9\n[index]\n  version = 4\n[feature]\n  manyFiles = true\n` +
        "[pack]\n  threads = 4\n  window = 50\n  compression = 9\n[tar]\n  umask = 0\n",
    );
    const env = { GIT_CONFIG_GLOBAL: settings, TZ: "Asia/Tokyo", GZIP: "-9", LANG: "C.UTF-8" };
    expect(digest(await bench.tarball(source.folder, commit, env))).toBe(wanted);

    using copy = new Repository(source.folder, "--no-local");
    copy.git("remote", "set-url", "origin", origin);
    copy.git("repack", "-a", "-d", "-f", "--quiet", "--write-bitmap-index");
    copy.git("commit-graph", "write", "--reachable");
    expect(digest(await bench.tarball(copy.folder, commit))).toBe(wanted);

    const worktree = join(bench.folder, `a "tree" of \\ its own`);
    source.git("worktree", "add", "--quiet", "--detach", worktree);
    expect(digest(await bench.tarball(worktree, commit))).toBe(wanted);

    const borrowing = join(bench.folder, "it's borrowing");
    source.git("clone", "--quiet", "--shared", "--bare", source.folder, borrowing);
    source.git("-C", borrowing, "remote", "set-url", "origin", origin);
    expect(digest(await bench.tarball(borrowing, commit))).toBe(wanted);
  });

  test("from a shallow clone, and from a URL", async () => {
    using bench = new Bench();
    await using server = await startGitServer();
    using source = new Repository();
    for (const content of ["1", "2", "3"]) source.commit({ a: content }, past);
    server.create("app", source.folder);
    const env = { ORIGIN: origin, HISTORY_DEPTH: "2" };
    const commit = source.git("rev-parse", "HEAD");
    const wanted = digest(await bench.tarball(source.folder, commit, env));
    using shallow = new Repository(source.folder, "--depth=2");
    expect(digest(await bench.tarball(shallow.folder, commit, env))).toBe(wanted);
    expect(digest(await bench.tarball(server.url("app"), commit, env))).toBe(wanted);
    expect(digest(await bench.tarball(server.url("app"), commit, { ...env, HISTORY_DEPTH: "3" }))).not.toBe(wanted);
  });
});

describe("history", () => {
  /** Each commit's parents, as indexes of earlier commits. */
  const histories = fc
    .array(fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 2 }), { maxLength: 8 })
    .map((rows) => rows.map((row, index) => [...new Set(row.map((parent) => parent % (index + 1)))]));

  test("is as deep as a clone of that depth, merges included", async () => {
    using bench = new Bench();
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

describe("the file", () => {
  test("is kept when it is there already, made anew for another commit, and private", async () => {
    using bench = new Bench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    const out = join(bench.folder, "new", "folder", "out.tar.gz");
    const make = () => bench.run([source.folder, "main", "new/folder/out.tar.gz"]);
    expect(await make()).toEqual({ code: 0, stdout: "", stderr: "" });
    const { ino, mode } = statSync(out);
    expect(mode & 0o777).toBe(0o600);
    expect((await make()).code).toBe(0);
    expect(statSync(out).ino).toBe(ino);
    source.commit({ a: "2" }, past);
    expect((await make()).code).toBe(0);
    using unpacked = bench.unpacked(out);
    expect(unpacked.git("rev-parse", "HEAD")).toBe(source.git("rev-parse", "HEAD"));
    writeFileSync(out, "not a tarball");
    expect((await make()).code).toBe(0);
    using mended = bench.unpacked(out);
    expect(mended.git("status", "--porcelain")).toBe("");
  });

  test("is not there, nor anything else, when it can't be made", async () => {
    using bench = new Bench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    source.commit({ a: "2" }, past);
    const blob = source.git("rev-parse", "HEAD:a");
    rmSync(join(source.folder, ".git", "objects", blob.slice(0, 2), blob.slice(2)));
    const { code, stderr } = await bench.run([source.folder, "HEAD", "out.tar.gz"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: the commit [0-9a-f]{40} can't be packed$/m);
    expect(readdirSync(bench.folder)).toEqual(["tmp"]);
    expect(readdirSync(bench.temporary)).toEqual([]);
  });

  test.each([
    [{}, ["<repo>", "HEAD"], /^error: usage: .* REPO COMMIT OUT$/],
    [{}, ["<repo>", "nope", "out"], /^error: .* has no commit nope$/],
    [{}, ["<repo>", "--all", "out"], /^error: "--all" is no commit$/],
    [{}, ["/nowhere/at/all", "HEAD", "out"], /^error: .*can't be fetched from \/nowhere\/at\/all$/],
    [
      { HISTORY_DEPTH: "0" },
      ["<repo>", "HEAD", "out"],
      /^error: HISTORY_DEPTH is a number of commits from 1 on, not "0"$/,
    ],
    [{ HISTORY_DEPTH: "all" }, ["<repo>", "HEAD", "out"], /^error: HISTORY_DEPTH is a number .*, not "all"$/],
    [{ BRANCH: "a..b" }, ["<repo>", "HEAD", "out"], /^error: "a\.\.b" is no branch name$/],
  ])("is refused: %j %j", async (env, args, message) => {
    using bench = new Bench();
    using source = new Repository();
    source.commit({ a: "1" }, past);
    const { code, stdout, stderr } = await bench.run(
      args.map((argument) => argument.replace("<repo>", source.folder)),
      env,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(message);
    expect(readdirSync(bench.folder)).toEqual(["tmp"]);
  });
});
