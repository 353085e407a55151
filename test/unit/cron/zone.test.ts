import { describe, expect, it } from "vitest";
import { ianaZone, zoneRemedy } from "../../../components/cron/zone.ts";

describe("ianaZone", () => {
  it.each([
    ["Europe/Berlin", "Europe/Berlin"],
    ["europe/BERLIN", "Europe/Berlin"],
    ["UTC", "UTC"],
    ["utc", "UTC"],
    // Aliases stay: which of two names is the real one differs between engines.
    ["Asia/Kolkata", "Asia/Kolkata"],
    ["Asia/Calcutta", "Asia/Calcutta"],
    ["US/Pacific", "US/Pacific"],
    ["Europe/Kyiv", "Europe/Kyiv"],
  ])("%s is %s", (name, zone) => {
    expect(ianaZone(name)).toBe(zone);
  });

  it.each([
    "",
    "Berlin",
    "Local",
    "+01:00",
    "-0800",
    "GMT+2",
    "CEST",
    "Europe/Berln",
    "Etc/Unknown",
    " UTC",
    "../etc/passwd",
  ])("%j is not a zone", (name) => {
    expect(ianaZone(name)).toBeUndefined();
  });
});

describe("zoneRemedy", () => {
  it.each([
    ["Europe/Berln", 'did you mean: timezone = "Europe/Berlin"'],
    ["Berlin", 'did you mean: timezone = "Europe/Berlin"'],
    ["new york", 'did you mean: timezone = "America/New_York"'],
    ["Amsterdm", 'did you mean: timezone = "Europe/Amsterdam"'],
    ["+01:00", 'write an IANA name, for instance: timezone = "Europe/Berlin"'],
  ])("%s", (name, remedy) => {
    expect(zoneRemedy(name)).toBe(remedy);
  });
});
