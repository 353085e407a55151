import { spawnSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { masked, maskedLines } from "../../../components/lib/masking.ts";
import "../../support/properties.ts";

const program = join(import.meta.dirname, "../../../components/lib/mask.awk");

describe("masked", () => {
  it("hides a secret as it is, escaped, and each line of a long one; not short ones", () => {
    const secret = 'line "one" é\nline two too\t$HOME';
    const text = `a ${secret} b ${JSON.stringify(secret)} c and "line two too\t$HOME d`;
    expect(masked(text, [secret])).toBe('a ***\n*** b "***\\n***" c and "*** d');
    expect(masked("nothing here", ["", "ab", "s3cret"])).toBe("nothing here");
    expect(masked("ab abcd\n", ["ab", "abcd"])).toBe("ab ***\n");
    expect(masked("long enough\nabcd", ["long enough\nabcd"])).toBe("***\nabcd");
    expect(masked("wxyz\nabcd", ["wxyz\nabcd"])).toBe("***\n***");
  });

  it("each of some texts, as one line", () => {
    expect(maskedLines(["a hush b", "", "two\nlines of hush"], ["hush"])).toEqual(["a *** b", "", "two lines of ***"]);
    expect(maskedLines([], ["hush"])).toEqual([]);
  });

  it("hides the passwords of URLs, whosever they are", () => {
    expect(masked("https://x-access-token:ghp_1@github.com/a and http://h:80/b@c", [])).toBe(
      "https://x-access-token:***@github.com/a and http://h:80/b@c",
    );
  });

  it("does not change other text, including control characters", () => {
    const text = "a\u0001b\r\n\u001b[31mc\t\n\n";
    expect(masked(text, ["nowhere in it"])).toBe(text);
  });

  it("bears a long secret of many lines, and one long line", () => {
    const key = Array.from({ length: 50 }, (_, line) => `${line}-`.repeat(20)).join("\n");
    const line = "0123456789abcdef".repeat(1000);
    const shown = masked(`${key}\n${line}\n${Buffer.from(line).toString("base64")}`, [key, line]);
    expect(shown).not.toMatch(/0-0-|7-7-|0123|[A-Za-z0-9+/]{12}/);
  });

  it("takes nothing on trust: without awk the text is withheld", () => {
    const path = process.env["PATH"];
    process.env["PATH"] = "/nowhere";
    try {
      expect(masked("hush", ["hush"])).toBe("(withheld: secrets could not be redacted from it)");
    } finally {
      process.env["PATH"] = path;
    }
  });
});

/** Characters that would break out of a regular expression, of JSON, of a URL; and of one to four bytes. */
const character = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(..."abcXYZ0189") },
  { weight: 2, arbitrary: fc.constantFrom(...`\\"'/+-_.~!*()[]{}^$|?#%&=@:;,<> \té😀`) },
);
const secret = fc.array(character, { minLength: 8, maxLength: 24 }).map((all) => `k${all.join("")}k`);
const junk = fc.array(character, { maxLength: 6 }).map((all) => all.join(""));
const base64Of = (text: string) => Buffer.from(text).toString("base64");

/** All ways of writing a text that hides nothing from a person who reads it. */
const encodings: Record<string, (text: string) => string> = {
  plain: (text) => text,
  JSON: (text) => JSON.stringify(text),
  "JSON of ASCII": (text) =>
    JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  "percent-encoded": (text) => encodeURIComponent(text),
  "percent-encoded in lower case": (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
  "form-encoded": (text) => new URLSearchParams({ a: text }).toString(),
};
const inBase64: typeof encodings = {
  base64: base64Of,
  "base64 for URLs": (text) => Buffer.from(text).toString("base64url"),
  "percent-encoded base64": (text) => encodeURIComponent(base64Of(text)),
};

describe("no way of writing a secret shows it", () => {
  // One awk for many cases: each line is one.
  const linesOf = (of: string, cases: readonly (readonly [string, string])[]) =>
    masked(cases.map(([, line]) => line).join("\n"), [of]).split("\n");

  it.each(Object.entries(encodings))("%s", (_name, encode) => {
    fc.assert(
      fc.property(secret, fc.array(fc.tuple(junk, junk), { minLength: 1, maxLength: 20 }), (hidden, around) => {
        const cases = around.map(([a, b]) => [a, encode(`${a}${hidden}${b}`)] as const);
        const bare = encode(hidden).replace(/^"|"$|^a=/g, "");
        for (const line of linesOf(hidden, cases)) {
          expect(line).toContain("***");
          expect(line).not.toContain(bare);
          expect(line).not.toContain(hidden);
        }
      }),
      { numRuns: 25 },
    );
  });

  it.each(Object.entries(inBase64))("%s, whatever is before and after it", (_name, encode) => {
    fc.assert(
      fc.property(secret, fc.array(fc.tuple(junk, junk), { minLength: 1, maxLength: 20 }), (hidden, around) => {
        const cases = around.map(([a, b]) => [a, encode(`${a}${hidden}${b}`)] as const);
        linesOf(hidden, cases).forEach((line, index) => {
          expect(line).toContain("***");
          // What is left before and after it decodes to nothing of it but a part of a byte.
          const before = Buffer.from(decodeURIComponent(line.split("***")[0] ?? ""), "base64").toString("latin1");
          expect(before.length).toBeLessThanOrEqual(Buffer.byteLength(cases[index]?.[0] ?? "") + 1);
        });
      }),
      { numRuns: 25 },
    );
  });
});

describe("where lines are broken", () => {
  const long = fc.array(character, { minLength: 16, maxLength: 60 }).map((all) => `k${all.join("")}k`);
  // Otherwise, what is around the secret may look like a part of it.
  const around = fc.array(fc.constantFrom(..."MNPQmnpq456"), { maxLength: 6 }).map((all) => all.join(""));
  const wrap = (text: string, width: number) => text.match(new RegExp(`.{1,${width}}`, "gsu"))?.join("\n") ?? "";

  it.each([
    ["base64, as it is wrapped", base64Of],
    ["base64 for URLs", (text: string) => Buffer.from(text).toString("base64url")],
    ["a line that a terminal breaks", (text: string) => text],
  ])("at most 7 characters in a row are left: %s", (name, encode) => {
    fc.assert(
      fc.property(long, around, around, fc.integer({ min: 16, max: 80 }), (hidden, before, after, width) => {
        // What the secret alone determines, whatever is around it; of a plain one its ASCII parts are looked at.
        const held = Buffer.byteLength(before) % 3;
        const padded = encode("\0".repeat(held) + hidden);
        const own = name.startsWith("base64") ? padded.slice(held === 0 ? 0 : held + 1, -4) : hidden;
        const text = wrap(encode(before + hidden + after), width);
        // Such a backslash or space is taken for YAML's continuation or for indentation.
        fc.pre(!/[ \t\\]\n|\n[ \t]/.test(text));
        const shown = masked(text, [hidden]).replaceAll("\n", "");
        for (let at = 0; at + 8 <= own.length; at++) {
          const part = own.slice(at, at + 8);
          if (/^[ -~]+$/.test(part)) expect(shown).not.toContain(part);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("no more is left where two of the pieces meet by which a long secret is searched for", () => {
    const hidden = String.raw`k\\\\aa\aa\\\aa\\a\aaaa\😀a\\a\\\\\\aaa\a😀\k`;
    const shown = masked(wrap(base64Of(String.raw`\a\a\a${hidden}`), 17), [hidden]).split("\n");
    expect(shown.slice(1, 4)).toEqual(["***", "***", "***"]);
  });

  it("hides what PEM files and YAML make of it, and leaves other lines alone", () => {
    const token = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    const lines = wrap(base64Of(`https://x:${token}@github.com and more of it`), 24).split("\n");
    const shown = masked(lines.map((line) => `    ${line} \\`).join("\n"), [token]).split("\n");
    expect(shown.every((line) => line.startsWith("    ") && line.endsWith(" \\"))).toBe(true);
    expect(shown.map((line) => line.includes("***"))).toEqual([true, true, true, false, false]);
    const other = "a line of more than eight characters\nghp_01 too few of them\n";
    expect(masked(other, [token])).toBe(other);
  });
});

it("filters as lines come, not at the end", async () => {
  const { spawn } = await import("node:child_process");
  const isMawk = spawnSync("awk", ["-W", "version"], { encoding: "utf8" }).stdout.startsWith("mawk");
  const args = [...(isMawk ? ["-W", "interactive"] : []), "-f", program];
  const filter = spawn("awk", args, { env: { PATH: process.env["PATH"], LC_ALL: "C", MASKED: "S", S: "hush-hush" } });
  try {
    filter.stdin.write("first hush-hush\n");
    let text = "";
    filter.stdout.setEncoding("utf8").on("data", (data: string) => {
      text += data;
    });
    // The line may come in two pieces.
    await expect.poll(() => text, { timeout: 10_000 }).toBe("first ***\n");
  } finally {
    filter.kill();
  }
});
