import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  agoText,
  blocksOf,
  briefOf,
  costText,
  durationText,
  inOneLine,
  piecesOf,
  shortened,
  visible,
} from "../../../../components/sandbox/page/public/format.js";

describe("hostile text", () => {
  it("shows what reorders or hides text, and removes colours", () => {
    expect(visible("a\u202eb\u2066c\u0000d")).toBe("a⟨U+202E⟩b⟨U+2066⟩c⟨U+0000⟩d");
    expect(visible("\u001b[31mred\u001b[0m\r\nline\ttab")).toBe("red\nline\ttab");
    expect(inOneLine(" two\n lines\u202e")).toBe("two lines⟨U+202E⟩");
  });

  it("never leaves a control character", () => {
    const all = String.fromCharCode(...Array.from({ length: 0x2100 }, (_, code) => code));
    expect(visible(all)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  });

  it("cuts no character in half", () => {
    expect(shortened("ab😀cd", 4).isWellFormed()).toBe(true);
  });
});

describe("an answer", () => {
  it("consists of paragraphs and code blocks", () => {
    expect(blocksOf("one\ntwo\n\nthree\n```js\ncode\n\nmore\n```\nend")).toEqual([
      { kind: "text", text: "one\ntwo" },
      { kind: "text", text: "three" },
      { kind: "code", text: "code\n\nmore" },
      { kind: "text", text: "end" },
    ]);
    expect(blocksOf("````\n```\ninner\n````")).toEqual([{ kind: "code", text: "```\ninner" }]);
    expect(blocksOf("```\nnot closed")).toEqual([{ kind: "code", text: "not closed" }]);
  });

  it("changes only its last two blocks while it is streamed", () => {
    const text = fc.array(fc.constantFrom("word ", "\n", "\n\n", "```\n", "`"), { maxLength: 40 });
    fc.assert(
      fc.property(text, fc.constantFrom("word ", "\n", "\n\n", "```\n"), (parts, next) => {
        const before = blocksOf(parts.join(""));
        const after = blocksOf(parts.join("") + next);
        expect(after.slice(0, Math.max(0, before.length - 2))).toEqual(before.slice(0, Math.max(0, before.length - 2)));
      }),
    );
  });

  it("links addresses of the web alone, and loses nothing", () => {
    expect(piecesOf("see https://example.org/a. javascript:alert(1) `x` **y**")).toEqual([
      { kind: "text", text: "see " },
      { kind: "link", text: "https://example.org/a" },
      { kind: "text", text: ". javascript:alert(1) " },
      { kind: "code", text: "x" },
      { kind: "text", text: " " },
      { kind: "strong", text: "y" },
    ]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(
          piecesOf(text)
            .map((piece) => piece.text)
            .join(""),
        ).toBe(text.replace(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g, "$1$2"));
      }),
    );
  });
});

it("says in a line what a tool call is about", () => {
  expect(briefOf({ command: "ls -la\nrm x" })).toBe("ls -la rm x");
  expect(briefOf({ command: ["bash", "-lc", "ls"] })).toBe("bash -lc ls");
  expect(briefOf({ file_path: "/a\u202e" })).toBe("/a⟨U+202E⟩");
  expect(briefOf({ x: 1 })).toBe('{"x":1}');
  expect([briefOf({}), briefOf(null), briefOf(undefined), briefOf([])].join()).toBe(",,,[]");
});

it("writes durations, costs and ages", () => {
  expect([0, 59, 60, 125, 720, 3900].map(durationText)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "2 min 5 s",
    "12 min",
    "1 h 5 min",
  ]);
  expect([0, 0.0123, 1.5].map(costText)).toEqual(["$0.00", "$0.012", "$1.50"]);
  const now = Date.parse("2026-01-03T00:00:00Z");
  const ages = ["2026-01-02T23:59:50Z", "2026-01-02T23:00:00Z", "2025-12-30T00:00:00Z"];
  expect(ages.map((at) => agoText(at, now))).toEqual(["just now", "1 h ago", "4 d ago"]);
});
