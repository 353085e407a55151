import { expect, it } from "vitest";
import { placesIn } from "../../../../../scripts/dev/check/expectations.ts";

it("finds a regular expression where a value is expected", () => {
  const text = [
    "expect(a).toMatchObject({ reason: /x/ });",
    "expect(a).toMatchObject([{ deep: { reason: /y/i } }]);",
    "expect(a).toMatchObject({ reason: expect.stringMatching(/x/) });",
    "expect(a).toMatch(/x/);",
    "expect(a).toEqual({ reason: /x/ });",
    "expect(a.replace(/x/, '')).toEqual('y');",
  ].join("\n");
  expect(placesIn("a.test.ts", text)).toEqual([
    "a.test.ts:1: /x/ matches any value; write expect.stringMatching(/x/)",
    "a.test.ts:2: /y/i matches any value; write expect.stringMatching(/y/i)",
  ]);
});
