import { expect, test } from "vitest";
import { readSettings } from "../../../components/seed-agent/program/settings.ts";

test("an empty environment gives the defaults", () => {
  expect(readSettings({ PORT: "" })).toMatchObject({
    settings: { PORT: 4000, SEED_MODE: "propose", HTTP_SERVER_ENABLED: true, SEED_METRICS_PUBLIC: false },
  });
});

test("all variables that are not valid are reported together, without the value of a secret", () => {
  expect(readSettings({ SEED_MODE: "yes", SEED_MEMORY_MB: "12", SEED_CONTROL_TOKEN: "" })).toEqual({
    errors: [expect.stringMatching(/^SEED_MODE: "yes" is not valid: /), expect.stringMatching(/^SEED_MEMORY_MB: "12"/)],
  });
});

// A fraction of a MiB would keep every version from starting, and Node's timers overflow after 24 days.
test.each([
  ["PORT", "4000.5"],
  ["SEED_MEMORY_MB", "256.5"],
  ["SEED_KEEP_VERSIONS", "2.5"],
  ["SEED_RECORDINGS", "0.5"],
  ["SEED_IMPROVE_SECONDS", "2592000"],
  ["SEED_TEST_SECONDS", "1e6"],
])("%s can't be %s", (name, value) => {
  expect(readSettings({ [name]: value })).toEqual({ errors: [expect.stringContaining(`${name}: "${value}"`)] });
});
