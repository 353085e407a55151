import fc from "fast-check";
import { expect, it } from "vitest";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { lifetimeOf, saveSeconds } from "../../../components/sandbox/lifetime.ts";
import { longestSaveSeconds } from "../../../components/sandbox/modal/sandbox.ts";

const day = 86_400;

it("leaves time to save a sandbox before its provider ends it, whatever is declared", () => {
  expect(saveSeconds).toBeGreaterThan(longestSaveSeconds);
  const limits = fc.integer({ min: 2 * saveSeconds, max: day });
  fc.assert(
    fc.property(fc.integer({ min: 60, max: day }), limits, (timeoutSeconds, longestSeconds) => {
      fc.pre(timeoutSeconds <= longestSeconds);
      const { sleepAfterSeconds, endAfterSeconds } = lifetimeOf({ timeoutSeconds }, { longestSeconds });
      expect(endAfterSeconds - sleepAfterSeconds).toBe(saveSeconds);
      expect(endAfterSeconds).toBeLessThanOrEqual(longestSeconds);
      expect(sleepAfterSeconds).toBeLessThanOrEqual(timeoutSeconds);
      // Never earlier than it must.
      if (sleepAfterSeconds < timeoutSeconds) expect(endAfterSeconds).toBe(longestSeconds);
    }),
  );
});

it("is the declared time where the provider does not end sandboxes itself, or would reject it", () => {
  expect(lifetimeOf({ timeoutSeconds: 60 }, {})).toEqual({ sleepAfterSeconds: 60, endAfterSeconds: 60 });
  expect(lifetimeOf({ timeoutSeconds: day + 1 }, { longestSeconds: day }).endAfterSeconds).toBe(day + 1);
});

it("accepts the longest time that can be declared on Modal", () => {
  const { spec } = sandboxOf("example", { repo: "me/app", provider: "modal", timeoutSeconds: day });
  expect(lifetimeOf(spec, { longestSeconds: day })).toEqual({
    sleepAfterSeconds: day - saveSeconds,
    endAfterSeconds: day,
  });
});
