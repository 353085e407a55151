import { expect, it } from "vitest";
import { shownStatus } from "../../../../components/sandbox/sessions/shown-status.ts";

it.each([
  ["running", false, "running"],
  ["running", true, "asleep"],
  ["paused", false, "paused"],
  ["paused", true, "paused, asleep"],
  ["terminated", true, "terminated"],
] as const)("a session that is %s (asleep: %s) is shown as %s", (status, isAsleep, shown) => {
  expect(shownStatus({ status, isAsleep })).toBe(shown);
});
