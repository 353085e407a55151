import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationSeconds } from "../../../components/lib/duration.ts";

describe("a duration", () => {
  it.each([
    ["1s", 1],
    ["90m", 5400],
    ["12h", 43_200],
    ["7d", 604_800],
    ["2w", 1_209_600],
  ])("%s is %d seconds", (text, seconds) => expect(durationSeconds(text)).toBe(seconds));

  it("in seconds is the number that is written", () => {
    const count = fc.integer({ min: 1, max: 999_999_999 });
    fc.assert(fc.property(count, (count) => durationSeconds(`${count}s`) === count));
  });

  it("in a larger unit is as many of the smaller", () => {
    const steps = [
      ["m", "s", 60],
      ["h", "m", 60],
      ["d", "h", 24],
      ["w", "d", 7],
    ] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...steps),
        fc.integer({ min: 1, max: 9_999_999 }),
        ([large, small, times], count) =>
          durationSeconds(`${count}${large}`) === durationSeconds(`${count * times}${small}`),
      ),
    );
  });

  it("is nothing else", () => {
    const isOne = (text: string) => /^[1-9][0-9]{0,8}[smhdw]$/.test(text);
    const almost = fc.stringMatching(/^[-+ ]?[0-9.]{0,11} ?[smhdwyS]{0,2}\n?$/);
    fc.assert(
      fc.property(fc.oneof(almost, fc.string()), (text) => {
        fc.pre(!isOne(text));
        expect(() => durationSeconds(text)).toThrow(RangeError);
      }),
    );
    for (const text of ["", "0d", "07d", "1.5h", "7D", "7 d", "d", "1000000000s", "7d\n"]) {
      expect(() => durationSeconds(text)).toThrow(RangeError);
    }
  });
});
