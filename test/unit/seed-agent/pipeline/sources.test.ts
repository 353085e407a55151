import { applyPatch } from "diff";
import { expect, test } from "vitest";
import { changedSources, diffOf, isSame } from "../../../../components/seed-agent/program/pipeline/sources.ts";

const lines = (letter: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${letter}${index}\n`).join("");

test("the diff lists changed, added and deleted files by path", () => {
  const before = { "b.ts": "old\n", "c.ts": "kept\n", "d.ts": "gone\n" };
  const after = changedSources(before, { "b.ts": "new\n", "a.ts": "added", "d.ts": null });
  expect(diffOf(before, after)).toBe(
    [
      ...["--- /dev/null", "+++ b/a.ts", "@@ -0,0 +1,1 @@", "+added", "\\ No newline at end of file"],
      ...["--- a/b.ts", "+++ b/b.ts", "@@ -1,1 +1,1 @@", "-old", "+new"],
      ...["--- a/d.ts", "+++ /dev/null", "@@ -1,1 +0,0 @@", "-gone", ""],
    ].join("\n"),
  );
});

test("a path may be the name of an inherited property", () => {
  const before = { "handle.ts": "" };
  const after = changedSources(before, JSON.parse('{ "constructor": "x\\n", "__proto__": "y\\n" }'));
  expect(isSame(before, after)).toBe(false);
  expect(diffOf(before, after)).toContain("+++ b/constructor\n@@ -0,0 +1,1 @@\n+x\n");
  expect(diffOf(before, after)).toContain("+++ b/__proto__\n@@ -0,0 +1,1 @@\n+y\n");
});

test.each([
  ["with a line end", "\n"],
  ["without", ""],
])("rewritten files, %s, don't hold the service up, and their diff applies", (_, end) => {
  const names = ["a.ts", "b.ts", "c.ts"];
  const of = (letter: string) => Object.fromEntries(names.map((name) => [name, `${lines(letter, 20_000)}last${end}`]));
  const [before, after] = [of("a"), of("b")];
  const began = performance.now();
  const diff = diffOf(before, after);
  expect(performance.now() - began).toBeLessThan(5000);
  const first = diff.slice(0, diff.indexOf("--- a/b.ts"));
  expect(applyPatch(before["a.ts"] ?? "", first)).toBe(after["a.ts"]);
});
