import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { unfitDiagnostics, unfitOptions, whereForKinds, whereInWords } from "../../../components/fleet/applies.ts";
import { anyValue } from "../../../components/fleet/documented.ts";
import { kinds } from "../../../components/kinds.ts";

const table = z.strictObject({
  provider: z._default(z.string(), "here"),
  source: z.optional(z.string()),
  image: z._default(z.string(), "clone"),
  depth: z._default(z.number(), 1),
  args: z._default(z.array(z.string()), []),
  late: z._default(z.string(), "24h"),
  branch: z._default(z.string(), "main"),
  agent: z.optional(z.string()),
});
const kind = {
  noun: "robot",
  table,
  options: { depth: table, args: table },
  providers: ["here", "there", "elsewhere"],
  applies: {
    depth: { providers: ["there"], needs: { image: "pinned" } },
    args: { providers: ["there", "elsewhere"] },
    late: { providers: ["here"], ignored: "which never sleeps" },
    branch: { needs: { source: anyValue }, otherwise: { message: "no source", remedy: "give one" } },
    agent: { instead: "runtime" },
  },
};
const unfit = (written: object) =>
  [...unfitOptions(kind, z.parse(table, written))].map(([key, { message, remedy, severity }]) => [
    key,
    `${severity}: ${message}; ${remedy}`,
  ]);

describe("unfitOptions", () => {
  it("accepts an option that is omitted, or set to its default", () => {
    expect(unfit({})).toEqual([]);
    expect(unfit({ depth: 1, args: [], branch: "main" })).toEqual([]);
  });

  it.each([
    [{ depth: 2 }, 'error: depth is only for provider = "there"; remove the line, or write provider = "there"'],
    [
      { depth: 2, provider: "there" },
      'error: depth is only for image = "pinned"; remove the line, or write image = "pinned"',
    ],
    [
      { args: ["x"] },
      'error: args is only for provider = "there" or "elsewhere"; remove the line, or write provider = "there" or "elsewhere"',
    ],
    [
      { late: "1h", provider: "there" },
      'warning: late has no effect for the provider "there", which never sleeps; remove the line',
    ],
    [{ branch: "next" }, "error: no source; give one"],
    [{ agent: "x" }, "error: agent has no effect for a robot; write runtime instead"],
  ])("%j: %s", (written, message) => {
    expect(unfit(written).map(([, text]) => text)).toEqual([message]);
  });

  it("accepts each where it applies", () => {
    expect(unfit({ depth: 2, provider: "there", image: "pinned" })).toEqual([]);
    expect(unfit({ args: ["x"], provider: "elsewhere" })).toEqual([]);
    expect(unfit({ late: "1h", provider: "here" })).toEqual([]);
    expect(unfit({ branch: "next", source: "x" })).toEqual([]);
  });
});

it("a diagnostic names the options that it depends on", () => {
  const [found] = unfitDiagnostics(kind, z.parse(table, { depth: 2 }), (...path) => path);
  expect(found).toMatchObject({ path: ["depth"], reads: ["provider", "image"] });
});

describe("in words", () => {
  it.each([
    ["depth", 'On `there` with `image = "pinned"` only.'],
    ["args", "On `there` and `elsewhere` only."],
    ["late", "It has no effect on `there` and `elsewhere`, which never sleeps."],
    ["branch", "With `source` only."],
    ["agent", undefined],
    ["image", undefined],
  ])("%s: %s", (key, words) => {
    expect(whereInWords(kind, key)).toBe(words);
  });

  it("describes an option of several kinds together if they agree, otherwise for each kind", () => {
    const other = { ...kind, applies: { depth: kind.applies.depth, args: { providers: ["there"] } } };
    const all = { robot: kind, other, never: { ...kind, applies: { depth: { instead: "x" } } } };
    expect(whereForKinds(all, "depth")).toBe('On `there` with `image = "pinned"` only.');
    expect(whereForKinds({ robot: kind, other }, "args")).toBe(
      'With `kind = "robot"`: on `there` and `elsewhere` only. With `kind = "other"`: on `there` only.',
    );
  });
});

it.each(Object.entries(kinds))("the conditions of kind %s name its own options and providers", (_name, each) => {
  const { applies = {}, providers, table } = each;
  for (const [key, where] of Object.entries<{ providers?: readonly string[]; needs?: object }>(applies)) {
    const named = [key, ...Object.keys(where.needs ?? {})];
    expect(named.filter((option) => !Object.hasOwn(table.shape, option))).toEqual([]);
    expect((where.providers ?? []).filter((provider) => !providers.some((own) => own === provider))).toEqual([]);
  }
});
