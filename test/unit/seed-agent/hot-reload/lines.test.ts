import fc from "fast-check";
import { expect, test } from "vitest";
import { maxLineBytes, splitLines } from "../../../../components/seed-agent/program/hot-reload/lines.ts";

test("lines are the same for any chunks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""))),
      fc.array(fc.nat(40)),
      (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const found: string[] = [];
        const push = splitLines(
          (line) => found.push(line),
          () => found.push("too long"),
        );
        let start = 0;
        for (const cut of [...cuts, bytes.length]) {
          push(bytes.subarray(start, start + cut));
          start += cut;
        }
        push(bytes.subarray(start));
        expect(found).toEqual(lines);
      },
    ),
  );
});

test.for([
  ["with an end", "\n"],
  ["without one", ""],
])("a line that is too long is reported once, %s, and nothing follows", ([, end = ""]) => {
  const found: string[] = [];
  const push = splitLines(
    (line) => found.push(line),
    () => found.push("too long"),
  );
  push(Buffer.from(`first\n${"x".repeat(maxLineBytes + 1)}${end}`));
  push(Buffer.from("rest\nmore\n"));
  expect(found).toEqual(["first", "too long"]);
});
