import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextFires, scheduleProblem } from "../../../components/cron/schedule.ts";

const hour = 3_600_000;

function fires(schedule: string, zone: string, from: string, count: number): string[] {
  return nextFires(schedule, zone, new Date(from), count).map((time) => time.toISOString().replace(":00.000Z", "Z"));
}

describe("fire times where the clocks change", () => {
  it.each([
    // 29 March 2026, 02:00 is 03:00: what would be in the gap fires right after it.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
    ["30 2,14 * * *", "Europe/Berlin", "2026-03-28T20:00Z", ["2026-03-29T01:00Z", "2026-03-29T12:30Z"]],
    ["0 2-3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]],
    [
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:00Z",
      ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
    ],
    // 25 October 2026, 03:00 is 02:00 again: a time of day fires once, an interval goes on.
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
    ["30 2,14 * * *", "Europe/Berlin", "2026-10-24T20:00Z", ["2026-10-25T00:30Z", "2026-10-25T13:30Z"]],
    [
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-10-25T00:15Z",
      ["2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T02:00Z"],
    ],
    [
      "0 */2 * * *",
      "Europe/Berlin",
      "2026-10-24T23:00Z",
      ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T03:00Z"],
    ],
    // Half an hour (Lord Howe), and at midnight (Santiago, Cairo).
    ["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]],
    ["0 0 * * *", "America/Santiago", "2026-09-05T12:00Z", ["2026-09-06T04:00Z", "2026-09-07T03:00Z"]],
    ["0 0 * * *", "Africa/Cairo", "2026-04-23T12:00Z", ["2026-04-23T22:00Z", "2026-04-24T21:00Z"]],
    // A gap from 23:00 to midnight, which would otherwise be of another day.
    ["0 23 * * *", "America/Nuuk", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]],
    ["0,30 23 * * 6", "America/Scoresbysund", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-04-05T00:00Z"]],
    ["30 2 * * 0", "America/New_York", "2026-03-07T12:00Z", ["2026-03-08T07:00Z", "2026-03-15T06:30Z"]],
  ])("%s in %s from %s", (schedule, zone, from, expected) => {
    expect(fires(schedule, zone, from, expected.length)).toEqual(expected);
  });

  it("either a day of the month or a day of the week suffices", () => {
    expect(fires("0 0 13 * 5", "UTC", "2026-11-01T00:00Z", 4)).toEqual([
      "2026-11-06T00:00Z",
      "2026-11-13T00:00Z",
      "2026-11-20T00:00Z",
      "2026-11-27T00:00Z",
    ]);
    expect(fires("0 0 1 * 5", "UTC", "2026-11-28T00:00Z", 2)).toEqual(["2026-12-01T00:00Z", "2026-12-04T00:00Z"]);
  });

  it("leap days", () => {
    expect(fires("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", 2)).toEqual(["2028-02-29T00:00Z", "2032-02-29T00:00Z"]);
  });
});

/** A field of a schedule with the numbers that it means. */
function field(least: number, most: number): fc.Arbitrary<{ text: string; numbers: ReadonlySet<number> }> {
  const number = fc.integer({ min: least, max: most });
  const range = fc.tuple(number, number, fc.integer({ min: 1, max: 6 })).map(([a, b, step]) => {
    const [from, to] = a < b ? [a, b] : [b, a];
    return { text: step === 1 ? `${from}-${to}` : `${from}-${to}/${step}`, numbers: stepped(from, to, step) };
  });
  const every = fc
    .integer({ min: 1, max: most - least + 1 })
    .map((step) => ({ text: step === 1 ? "*" : `*/${step}`, numbers: stepped(least, most, step) }));
  const item = fc.oneof(
    number.map((value) => ({ text: String(value), numbers: new Set([value]) })),
    range,
    every,
  );
  return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => ({
    text: items.map(({ text }) => text).join(","),
    numbers: new Set(items.flatMap(({ numbers }) => [...numbers])),
  }));
}

function stepped(from: number, to: number, step: number): Set<number> {
  return new Set(Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step));
}

function wallClock(time: Date, zone: string) {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    minute: "numeric",
    hour: "numeric",
    day: "numeric",
    month: "numeric",
    weekday: "short",
  }).formatToParts(time);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  const weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(of("weekday"));
  return {
    minute: Number(of("minute")),
    hour: Number(of("hour")),
    day: Number(of("day")),
    month: Number(of("month")),
    weekday,
  };
}

/** How far the zone is from UTC, in milliseconds. */
function offset(time: number, zone: string): number {
  const name = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" }).format(time);
  const [, sign = "+", hours = "0", minutes = "0"] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

function firesUntil(schedule: string, from: number, end: number): number[] {
  const times: number[] = [];
  for (let last = from; last < end; last = times.at(-1) ?? end) {
    times.push(...nextFires(schedule, "UTC", new Date(last), 50).map((time) => time.getTime()));
  }
  return times.filter((time) => time < end);
}

const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"];

describe("any schedule", () => {
  const schedule = fc.record({ minute: field(0, 59), hour: field(0, 23), month: field(1, 12), weekday: field(0, 6) });

  it("fires in order, at times that match it in its zone, or right after the clocks have skipped one that does", () => {
    fc.assert(
      fc.property(
        schedule,
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) }),
        ({ minute, hour: hours, month, weekday }, zone, from) => {
          const cron = `${minute.text} ${hours.text} * ${month.text} ${weekday.text}`;
          expect(scheduleProblem(cron, true)).toBeUndefined();
          const times = nextFires(cron, zone, new Date(from), 12).map((time) => time.getTime());
          expect(times).toHaveLength(12);
          let last = from;
          for (const time of times) {
            expect(time).toBeGreaterThan(last);
            last = time;
            const isAfterGap = offset(time, zone) > offset(time - 1, zone);
            const wall = wallClock(new Date(time), zone);
            const matches =
              minute.numbers.has(wall.minute) &&
              hours.numbers.has(wall.hour) &&
              month.numbers.has(wall.month) &&
              weekday.numbers.has(wall.weekday);
            expect({ cron, zone, time: new Date(time).toISOString(), fits: matches || isAfterGap }).toMatchObject({
              fits: true,
            });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("every day at one time of day fires once on each day of a year, whatever the zone", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 0, max: 23 }),
        fc.constantFrom(...zones),
        (minute, hourOfDay, zone) => {
          const times = nextFires(`${minute} ${hourOfDay} * * *`, zone, new Date("2026-01-01T00:00:00Z"), 365);
          const days = times.map((time) => time.toLocaleDateString("sv", { timeZone: zone }));
          expect(new Set(days).size).toBe(365);
          for (const [index, time] of times.slice(1).entries()) {
            const apart = time.getTime() - (times[index]?.getTime() ?? 0);
            expect(apart).toBeGreaterThanOrEqual(22 * hour);
            expect(apart).toBeLessThanOrEqual(26 * hour);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it("is refused as too frequent exactly when two of its fires are too near", () => {
    fc.assert(
      fc.property(field(0, 59), field(0, 23), ({ text: minutes }, { text: hours }) => {
        const cron = `${minutes} ${hours} * * *`;
        const times = firesUntil(cron, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 3));
        const least = Math.min(...times.slice(1).map((time, index) => time - (times[index] ?? 0)));
        expect([cron, scheduleProblem(cron, false) !== undefined]).toEqual([cron, least < 5 * 60_000]);
      }),
      { numRuns: 60 },
    );
  });
});
