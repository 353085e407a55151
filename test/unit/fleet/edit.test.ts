import fc from "fast-check";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { setEnabled, setOption } from "../../../components/fleet/edit.ts";

describe("setEnabled", () => {
  it.each([
    ["an existing value", "[changelings.a]\nenabled = true # why\n", "[changelings.a]\nenabled = false # why\n"],
    ["odd spaces", "[ changelings . a ]\n  enabled=true\t# why", "[ changelings . a ]\n  enabled=false\t# why"],
    ["quoted keys", `['changelings'."a"]\n"enabled" = true\n`, `['changelings'."a"]\n"enabled" = false\n`],
    [
      "a missing one",
      "[changelings.a] # first\nschedule = '0 3 * * *' # when\n\n# next\n[changelings.b]\n",
      "[changelings.a] # first\nschedule = '0 3 * * *' # when\nenabled = false\n\n# next\n[changelings.b]\n",
    ],
    ["an empty table", "[changelings.a]\n[changelings.b]\n", "[changelings.a]\nenabled = false\n[changelings.b]\n"],
    ["an empty table at the end, no line end", "[changelings.a]", "[changelings.a]\nenabled = false"],
    ["an indented table", "[changelings.a]\n\tbranch = 'x'\n", "[changelings.a]\n\tbranch = 'x'\n\tenabled = false\n"],
    [
      "a value over several lines",
      "[changelings.a]\nsecrets = [ # which\n  'A',\n] # so\n",
      "[changelings.a]\nsecrets = [ # which\n  'A',\n] # so\nenabled = false\n",
    ],
    [
      "a long text that looks like a table",
      '[changelings.a]\ninitial_message = """\n[changelings.a]\nenabled = true\n"""\n',
      '[changelings.a]\ninitial_message = """\n[changelings.a]\nenabled = true\n"""\nenabled = false\n',
    ],
    [
      "before a table of its own",
      "[changelings.a]\nbranch = 'x'\n[changelings.a.env]\nA = '1'\n",
      "[changelings.a]\nbranch = 'x'\nenabled = false\n[changelings.a.env]\nA = '1'\n",
    ],
    [
      "only a table below it",
      "[changelings.a.env]\nA = '1'\n[changelings.b]\n",
      "[changelings.a.env]\nA = '1'\n[changelings.b]\n\n[changelings.a]\nenabled = false\n",
    ],
    [
      "only a table below it, no line end",
      "[changelings.a.env]\r\nA = '1'",
      "[changelings.a.env]\r\nA = '1'\r\n\r\n[changelings.a]\r\nenabled = false\r\n",
    ],
    [
      "an inline table",
      "[changelings]\na = { branch = 'x' } # c\n",
      "[changelings]\na = { branch = 'x', enabled = false } # c\n",
    ],
    ["an empty inline table", "changelings = { a = {}, b = {} }", "changelings = { a = { enabled = false }, b = {} }"],
    [
      "a value in an inline table",
      "changelings.a = {enabled=true,branch='x'}",
      "changelings.a = {enabled=false,branch='x'}",
    ],
    [
      "an inline table over several lines",
      "[changelings]\na = {\n  branch = 'x', # c\n}\n",
      "[changelings]\na = {\n  branch = 'x', enabled = false, # c\n}\n",
    ],
    ["a dotted key", "changelings.a.enabled = true\n", "changelings.a.enabled = false\n"],
    [
      "dotted keys without it",
      "[changelings]\n  'a'.branch = 'x' # c\na.env.A = '1'\nb.branch = 'y'\n",
      "[changelings]\n  'a'.branch = 'x' # c\na.env.A = '1'\na.enabled = false\nb.branch = 'y'\n",
    ],
    [
      "dotted keys at the top",
      "changelings . a . branch = 'x'\n",
      "changelings . a . branch = 'x'\nchangelings . a.enabled = false\n",
    ],
    [
      "dotted keys in an inline table",
      "changelings = { a.branch = 'x', b.branch = 'y' }",
      "changelings = { a.branch = 'x', b.branch = 'y', a.enabled = false }",
    ],
    [
      "Windows line ends",
      "[changelings.a]\r\nbranch = 'x'\r\n# end\r\n",
      "[changelings.a]\r\nbranch = 'x'\r\nenabled = false\r\n# end\r\n",
    ],
    ["a byte order mark", "\uFEFF[changelings.a]\nenabled = true\n", "\uFEFF[changelings.a]\nenabled = false\n"],
    ["what is so already", "[changelings.a]\nenabled = false\n", "[changelings.a]\nenabled = false\n"],
    [
      "a default for all",
      "[defaults]\nenabled = true\n[changelings.a]\n",
      "[defaults]\nenabled = true\n[changelings.a]\nenabled = false\n",
    ],
  ])("%s", (_title, before, after) => {
    expect(setEnabled(before, "a", false)).toBe(after);
  });

  it("refuses a changeling that isn't declared", () => {
    for (const text of ["", "[changelings.b]", "[defaults]", "changelings = 1", "[changelings]\na = 1"]) {
      expect(() => setEnabled(text, "a", false)).toThrow("the fleet file declares no changeling a");
    }
    expect(() => setEnabled("[changelings.a]", "toString", false)).toThrow("declares no changeling toString");
  });

  it("refuses a file that is not valid TOML", () => {
    expect(() => setEnabled("[changelings.a", "a", false)).toThrow("Invalid TOML document");
  });
});

describe("setOption", () => {
  it.each([
    ["schedule", "0 6 * * 1-5", `schedule = "0 6 * * 1-5"`],
    ["initial_message", 'say "hi"\n\\ \u007f', 'initial_message = "say \\"hi\\"\\n\\\\ \\u007f"'],
    ["keep_runs", 7, "keep_runs = 7"],
    ["secrets", ["A", "B"], 'secrets = [ "A", "B" ]'],
    ["agent_args", [], "agent_args = []"],
  ])("%s to %j", (key, value, line) => {
    expect(setOption("[changelings.a]\n", "a", key, value)).toBe(`[changelings.a]\n${line}\n`);
  });
});

/** A fleet file in one of many layouts, with comments, and what it declares. */
const layout = fc.constantFrom("table", "dotted", "inline", "top", "below");
const option = fc.constantFrom(
  "branch = 'x'",
  "keep_runs = 3",
  "secrets = ['A',\n 'B']",
  'description = """\n[x]\n"""',
  "enabled = true",
);

const file = fc
  .record({
    eol: fc.constantFrom("\n", "\r\n"),
    indent: fc.constantFrom("", "  "),
    end: fc.constantFrom("", "\n", "\n\n# end"),
    parts: fc.array(fc.record({ layout, comment: fc.boolean(), options: fc.uniqueArray(option, { maxLength: 3 }) }), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ eol, indent, end, parts }) => {
    const tops: string[] = [];
    const within: string[] = [];
    const tables: string[] = [];
    for (const [index, { layout: way, comment, options }] of parts.entries()) {
      const name = `c-${index}`;
      const note = comment ? ` # about ${name}` : "";
      const single = options.filter((text) => !text.includes("\n"));
      if (way === "table")
        tables.push(`[changelings.${name}]${note}`, ...options.map((text) => `${indent}${text}`), "");
      if (way === "below") tables.push(`[changelings.${name}.env]${note}`, `${indent}A = "1"`);
      if (way === "inline") within.push(`${indent}${name} = { ${single.join(", ")} }${note}`);
      if (way === "dotted") within.push(`${indent}"${name}".branch = "y"${note}`, `${indent}${name}.keep_runs = 9`);
      if (way === "top") tops.push(`defaults.x-${name} = 1${note}`);
    }
    const text = [...tops, "[changelings]", ...within, ...tables].join("\n") + end;
    return {
      text: text.replaceAll("\n", eol),
      names: parts.flatMap((part, index) => (part.layout === "top" ? [] : [`c-${index}`])),
    };
  })
  .filter(({ names }) => names.length > 0);

describe("any edit", () => {
  const value = fc.oneof(
    fc.boolean(),
    fc.string(),
    fc.integer({ min: -1e9, max: 1e9 }),
    fc.array(fc.string(), { maxLength: 3 }),
  );
  const edit = fc.record({ at: fc.nat(), key: fc.constantFrom("enabled", "branch", "keep_runs", "schedule"), value });

  it("changes that one option, leaves every other line as it is, and can be made twice", () => {
    fc.assert(
      fc.property(file, edit, ({ text, names }, { at, key, value: wanted }) => {
        const name = names[at % names.length] ?? "";
        const after = setOption(text, name, key, wanted);
        const expected = plain(parse(text));
        expected["changelings"][name][key] = wanted;
        expect(plain(parse(after))).toEqual(expected);
        expect(setOption(after, name, key, wanted)).toBe(after);

        const rest = after.split("\n");
        const changed = text.split("\n").filter((line) => {
          const index = rest.indexOf(line);
          if (index !== -1) rest.splice(index, 1);
          return index === -1;
        });
        expect(changed.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});

function plain(value: unknown) {
  return JSON.parse(JSON.stringify(value));
}
