import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planMarkdown } from "../../../../../scripts/changeling/plan/markdown.ts";
import { code, codeBlock, words } from "../../../../../scripts/changeling/plan/markdown-escape.ts";
import type { Plan, PlannedChangeWithFires } from "../../../../../scripts/changeling/plan/summary.ts";

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 400 }),
  fc
    .array(
      fc.constantFrom("`", "|", "\\", "\n", "\r", "@me", "<img src=x>", "](", "#1", "-->", "```", " ", "~~~", "a"),
      {
        maxLength: 60,
      },
    )
    .map((parts) => parts.join("")),
);

describe("code", () => {
  it.each([
    ["0 3 * * *", "`0 3 * * *`"],
    ["", "(empty)"],
    ["a\nb", "`a ⏎ b`"],
    ["@all #1 <b>", "`@all #1 <b>`"],
    ["a|b", "`a`&#124;`b`"],
    ["a\\", "`a`&#92;"],
    ["`x`", "&#96;`x`&#96;"],
    ["\u202Eevil\u0000", "`\uFFFDevil\uFFFD`"],
  ])("%j is %j", (from, to) => expect(code(from)).toBe(to));

  it("truncates long texts, but not within a character", () => {
    expect(code("abcdef", 4)).toBe("`abc…`");
    expect(code("ab\u{1F600}cdef", 4)).toBe("`ab…`");
  });

  it("is always spans that nothing in them can end, and one cell", () => {
    fc.assert(
      fc.property(text, (from) => {
        expect(code(from)).toMatch(/^((`[^`|\\\n\r]+`|&#(92|96|124);)+|\(empty\))$/u);
      }),
    );
  });
});

describe("words", () => {
  it.each(["At 06:00, Monday through Friday", "Europe/Berlin", "Etc/GMT+1"])("%s stays as it is", (from) => {
    expect(words(from)).toBe(from);
  });
  it.each(["http://a.example", "www.a.example", "- a", "a_b", "@me", ":tada:", ""])("%j does not", (from) => {
    expect(words(from)).toBe(code(from));
  });
});

describe("codeBlock", () => {
  it("has a fence that nothing in it can close, and is bounded", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 10, max: 200 }), (from, limit) => {
        const lines = codeBlock(from, limit).split("\n");
        const fence = /^(`+)text$/.exec(lines[0] ?? "")?.[1] ?? "";
        expect(fence.length).toBeGreaterThanOrEqual(3);
        expect(lines.at(-1)).toBe(fence);
        for (const line of lines.slice(1, -1)) expect(line).not.toContain(fence);
        expect(codeBlock(from, limit).length).toBeLessThan(2 * limit + 40);
      }),
    );
  });
});

const timing = { schedule: "0 3 * * *", when: "At 03:00, every day", timezone: "Europe/Berlin", enabled: true };

function change(parts: Partial<PlannedChangeWithFires>): PlannedChangeWithFires {
  const nothing = { drift: undefined, fields: [], before: undefined, after: undefined, nextBefore: [], nextAfter: [] };
  return { name: "fairy", part: "job", action: "change", ...nothing, ...parts };
}

function plan(changes: PlannedChangeWithFires[], parts: Partial<Plan> = {}): Plan {
  return { changes, errors: [], warnings: [], ...parts };
}

describe("planMarkdown", () => {
  it("says so when nothing changes", () => {
    expect(planMarkdown(plan([]), { stack: "home" })).toBe(
      "### Plan for `home`\n\nNothing changes: the fleet is as declared.\n",
    );
  });

  it("is a table per changeling, with the next fire times in its zone, its drift, then warnings", () => {
    const changes = [
      change({
        fields: [
          { field: "schedule", before: "0 3 * * *", after: "0 6 * * 1-5" },
          { field: "message", before: undefined, after: "do | it\n<b>now</b>" },
        ],
        drift: "its Modal app is stopped",
        before: timing,
        after: { ...timing, schedule: "0 6 * * 1-5", when: "At 06:00, Monday through Friday" },
        nextBefore: [new Date("2026-11-22T02:00:00Z")],
        nextAfter: [new Date("2026-11-23T05:00:00Z"), new Date("2026-11-24T05:00:00Z")],
      }),
      change({ part: "secrets" }),
      change({ name: "old", action: "remove", before: { ...timing, enabled: false } }),
      change({ name: "troll", part: "secrets", action: "add" }),
      change({ name: "modal", part: "shared", action: "add" }),
      change({ name: "tarball-app-1eb637", part: "shared", action: "add", title: "The code of app, for Modal," }),
    ];
    const warnings = ["fairy needs TOKEN, which is not set"];
    expect(planMarkdown(plan(changes, { warnings }), { stack: "me/changelings/home", note: "Commit `1a2b3c`." })).toBe(
      `### Plan for \`me/changelings/home\`

Commit \`1a2b3c\`.

**2 are added, 1 changes, 1 is removed, the secrets of 1 are added.**

#### \`fairy\` changes

| | before | after |
|---|---|---|
| when | At 03:00, every day | At 06:00, Monday through Friday |
| schedule | \`0 3 * * *\` | \`0 6 * * 1-5\` |
| time zone | Europe/Berlin | Europe/Berlin |
| next runs | Sun 22 Nov 03:00 | Mon 23 Nov 06:00<br>Tue 24 Nov 06:00 |
| message |  | \`do \`&#124;\` it ⏎ <b>now</b>\` |

Its secrets change; their values are not shown.

Drift, repaired: \`its Modal app is stopped\`

#### \`old\` is removed

| | before | after |
|---|---|---|
| when | At 03:00, every day |  |
| schedule | \`0 3 * * *\` |  |
| time zone | Europe/Berlin |  |
| next runs | paused |  |

#### The secrets of \`troll\`

They are added; their values are not shown.

#### Shared: \`modal\` is added

#### The code of app, for Modal, is added

#### Warnings

\`\`\`text
fairy needs TOKEN, which is not set
\`\`\`
`,
    );
  });

  it("describes a changeling that moves to another provider once", () => {
    const moved = [change({ action: "add", after: timing }), change({ action: "remove", before: timing })];
    const markdown = planMarkdown(plan(moved), { stack: "home" });
    expect(markdown.match(/^####.*/gm)).toEqual(["#### `fairy` changes"]);
    expect(markdown).toContain("| when | At 03:00, every day | At 03:00, every day |");
  });

  it("never says that nothing changes when it can't know", () => {
    const markdown = planMarkdown(plan([], { errors: ["the fleet file has errors"] }), { stack: "home" });
    expect(markdown).toContain("**This can't be applied**, for the errors below.");
    expect(markdown).toContain("#### Errors\n\n```text\nthe fleet file has errors\n```");
    expect(markdown).not.toContain("Nothing changes");
  });

  it("is never longer than the limit, keeps the errors, and says how much it omits", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.array(text, { maxLength: 30 }),
        fc.integer({ min: 3_000, max: 20_000 }),
        (count, messages, limit) => {
          const fields = messages.map((message) => ({ field: "message", before: message, after: undefined }));
          const changes = Array.from({ length: count }, (_, index) => change({ name: `c${index}`, fields }));
          const errors = ["first: the reason", ...messages];
          const markdown = planMarkdown(plan(changes, { errors, warnings: messages }), { stack: "home", limit });
          expect(markdown.length).toBeLessThanOrEqual(limit);
          expect(markdown).toContain("first: the reason");
          const shown = markdown.match(/^#### `c/gm)?.length ?? 0;
          const left = Number(/… and (\d+) more/.exec(markdown)?.[1] ?? 0);
          expect(shown + left).toBe(count);
        },
      ),
    );
  });
});
