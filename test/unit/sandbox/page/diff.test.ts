import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseDiff } from "../../../../components/sandbox/page/public/diff.js";

it("reads what git prints: changes, new, deleted, renamed and binary files, odd names", () => {
  const folder = mkdtempSync(join(tmpdir(), "diff-"));
  const env = { PATH: process.env["PATH"], HOME: folder, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env, encoding: "utf8" });
  const write = (path: string, text: string | Buffer) => writeFileSync(join(folder, path), text);
  git("init", "-q");
  mkdirSync(join(folder, "a b"));
  write("changed", "one\n-- two\nthree\n");
  write("gone", "1\n2\n");
  write("old", "same\n".repeat(20));
  write('a b/ünd"i', "x\n");
  write("picture", Buffer.from([0, 1, 2]));
  git("add", "-A");
  write("changed", "one\n++ two\nthree\nno end");
  rmSync(join(folder, "gone"));
  renameSync(join(folder, "old"), join(folder, "new b name"));
  write('a b/ünd"i', "y\n");
  write("picture", Buffer.from([0, 3]));
  write("fresh", "other\n");
  const tree = git("write-tree").trim();
  git("add", "-A");
  const files = parseDiff(git("diff", "--cached", "-M", tree));
  expect(files.map(({ path, change, added, removed }) => [path, change, added, removed])).toEqual([
    ['a b/ünd"i', "changed", 1, 1],
    ["changed", "changed", 2, 1],
    ["fresh", "added", 1, 0],
    ["gone", "deleted", 0, 2],
    ["new b name", "renamed", 0, 0],
    ["picture", "binary", 0, 0],
  ]);
  expect(files[4]?.from).toBe("old");
  expect(files[1]?.lines).toEqual([
    { kind: "hunk", text: "@@ -1,3 +1,4 @@" },
    { kind: "same", text: "one", before: 1, after: 1 },
    { kind: "remove", text: "-- two", before: 2 },
    { kind: "add", text: "++ two", after: 2 },
    { kind: "same", text: "three", before: 3, after: 3 },
    { kind: "add", text: "no end", after: 4 },
    { kind: "note", text: "No newline at end of file" },
  ]);
  rmSync(folder, { recursive: true });
});

it("gives some result for any text, also for a diff that was cut off", () => {
  const line = fc.constantFrom(
    "diff --git a/x b/x",
    "--- a/x",
    "+++ b/x",
    "@@ -1,9 +1,9 @@",
    "+a",
    "-b",
    " c",
    "\\ No",
    "",
    "rename to ",
  );
  fc.assert(fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => void parseDiff(lines.join("\n"))));
  expect(parseDiff("")).toEqual([]);
  expect(parseDiff("diff --git a/x b/x\n@@ -1,9 +1,9 @@\n+a\ndiff --git a/y b/y")).toHaveLength(2);
});
