import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSecretLines, secretLines } from "../../../../components/seed-agent/fly/secret-lines.ts";

const readBack = (value: string) => parseSecretLines(secretLines({ NAME: value, NEXT: "2" }));

describe("the input of `flyctl secrets import`", () => {
  test.each([
    "plain",
    "a b",
    " spaces ",
    "",
    "a#b",
    "#a",
    'say "hi"',
    "it's",
    '{"key":"a#b"}',
    "a=b=c",
    "-----BEGIN KEY-----\nabc=\ndef\n-----END KEY-----\n",
    "postgres://u:p%23@[::1]:5432/db?sslmode=require#x",
    "ünï ☃",
    '"quoted"',
    "'quoted'",
  ])("keeps %j", (value) => {
    expect(readBack(value)).toEqual(
      new Map([
        ["NAME", value],
        ["NEXT", "2"],
      ]),
    );
  });

  test("keeps a value as it is, or names the secret that it can't keep", () => {
    const parts = fc.constantFrom("a", " ", "#", '"', "'", "\n", "=", '"""', "\\", "\r", "é", "$");
    fc.assert(
      fc.property(
        fc.array(parts, { maxLength: 12 }).map((each) => each.join("")),
        (value) => {
          try {
            expect(readBack(value).get("NAME")).toBe(value);
            expect(readBack(value).get("NEXT")).toBe("2");
          } catch (error) {
            expect(String(error)).toContain("the secret NAME can't be given to Fly");
            // Values of one line without both kinds of trouble are always kept.
            expect(value).toMatch(/[\r\n]|#.*["']|["'].*#|"""/s);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("rejects a line that flyctl can't read, and does not print it", () => {
    const value = "x".repeat(70_000);
    expect(() => secretLines({ BIG: value })).toThrow(/^the secret BIG can't be given to Fly/);
    expect(() => secretLines({ BIG: `${value}\r\n` })).not.toThrow(/xxx/);
  });
});
