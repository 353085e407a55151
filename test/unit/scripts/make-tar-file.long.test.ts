import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startGitServer } from "../../support/git-server.ts";
import { Repository } from "../../support/repository.ts";
import { digest, oddRepository, origin, past, TarBench } from "../../support/tar-bench.ts";

describe("the same bytes", () => {
  test("the same for every user, copy and git configuration", async () => {
    using bench = new TarBench();
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
    using bench = new TarBench();
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

describe("the file", () => {
  test("is kept if it exists, made again for another commit, and private", async () => {
    using bench = new TarBench();
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
    using restored = bench.unpacked(out);
    expect(restored.git("status", "--porcelain")).toBe("");
  });

  test("is not there, nor anything else, when it can't be made", async () => {
    using bench = new TarBench();
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
    [{}, ["<repo>", "--all", "out"], /^error: "--all" is not a commit$/],
    [{}, ["/nowhere/at/all", "HEAD", "out"], /^error: .*can't be fetched from \/nowhere\/at\/all$/],
    [
      { HISTORY_DEPTH: "0" },
      ["<repo>", "HEAD", "out"],
      /^error: HISTORY_DEPTH must be a number of commits, at least 1, not "0"$/,
    ],
    [{ HISTORY_DEPTH: "all" }, ["<repo>", "HEAD", "out"], /^error: HISTORY_DEPTH must be a number .*, not "all"$/],
    [{ BRANCH: "a..b" }, ["<repo>", "HEAD", "out"], /^error: "a\.\.b" is not a valid branch name$/],
  ])("is refused: %j %j", async (env, args, message) => {
    using bench = new TarBench();
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
