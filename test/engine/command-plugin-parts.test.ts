import fc from "fast-check";
import { expect, test } from "vitest";
import { diff } from "../../scripts/stack/plugins/command/diff.ts";
import { compileGlob } from "../../scripts/stack/plugins/command/glob.ts";
import { quote } from "../../scripts/stack/plugins/command/go-text.ts";
import { LineSplitter } from "../../scripts/stack/plugins/command/line-splitter.ts";
import type { Wire } from "../../scripts/stack/plugins/wire.ts";

const { tie: wire } = fc.letrec<{ tie: Wire }>((tie) => ({
  tie: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string(),
    fc.array(tie("tie"), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie("tie"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const bag = fc.dictionary(fc.string(), wire, { maxKeys: 4, noNullPrototype: true });

test("lines are the same however the bytes come in", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r", "é", "🐢") });
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 5 })), (content, sizes) => {
      const bytes = Buffer.from(content);
      const split = (pieces: Buffer[]) => {
        const splitter = new LineSplitter();
        return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()];
      };
      const pieces: Buffer[] = [];
      let at = 0;
      for (const size of sizes) {
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      pieces.push(bytes.subarray(at));
      const expected = content.split("\n").map((line) => line.replace(/\r$/, ""));
      if (content === "" || content.endsWith("\n")) expected.pop();
      expect(split(pieces)).toEqual(expected);
    }),
  );
});

test("an escaped text matches only itself", () => {
  const text = fc.string({ minLength: 1 });
  fc.assert(
    fc.property(text, text, (name, other) => {
      const regex = compileGlob(Array.from(name, (rune) => `\\${rune}`).join(""));
      expect(regex.test(name)).toBe(true);
      expect(regex.test(other)).toBe(name === other);
    }),
  );
});

test("a quoted text can be read back", () => {
  fc.assert(fc.property(fc.string(), (text) => JSON.parse(quote(text)) === text));
});

test("nothing differs from itself, and an addition is a deletion in the other direction", () => {
  const reversed: Record<string, string> = { ADD: "DELETE", DELETE: "ADD" };
  const plain = (change: string) => change.replace("_REPLACE", "");
  fc.assert(
    fc.property(bag, bag, (before, after) => {
      expect(diff(before, before)).toEqual([]);
      const forth = diff(before, after).map(({ path, change }) => `${path} ${plain(change)}`);
      const back = diff(after, before).map(({ path, change }) => `${path} ${reversed[plain(change)] ?? plain(change)}`);
      expect(forth.sort()).toEqual(back.sort());
    }),
  );
});
