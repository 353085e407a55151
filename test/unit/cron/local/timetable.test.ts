import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cronOptions } from "../../../../components/cron/cron-times.ts";
import { Timetable } from "../../../../components/cron/local/timetable.ts";

const at = (time: string) => Date.parse(time);
const job = { name: "a", enabled: true, schedule: "0 3 * * *", timezone: "UTC" };

/** Lets time pass in one way, and returns what came due: `name@due`, `!` for what was missed. */
function fired(timetable: Timetable, from: string, to: string, stepMs = 60_000): string[] {
  const due: string[] = [];
  for (let now = at(from); now <= at(to); now = Math.min(now + stepMs, Math.max(timetable.nextDue(), now + 1))) {
    due.push(
      ...timetable
        .takeDue(now)
        .map((each) => `${each.name}@${new Date(each.due).toISOString()}${each.isMissed ? "!" : ""}`),
    );
  }
  return due;
}

describe("Timetable", () => {
  it("returns each due time once, at that time", () => {
    const timetable = new Timetable();
    timetable.set(job, at("2026-11-20T12:00:00Z"));
    expect(timetable.nextDue()).toBe(at("2026-11-21T03:00:00Z"));
    expect(timetable.takeDue(at("2026-11-21T02:59:59.999Z"))).toEqual([]);
    const due = [{ name: "a", due: at("2026-11-21T03:00:00Z"), isMissed: false }];
    expect(timetable.takeDue(at("2026-11-21T03:00:00Z"))).toEqual(due);
    expect(timetable.takeDue(at("2026-11-21T03:00:00Z"))).toEqual([]);
    expect(timetable.nextDue()).toBe(at("2026-11-22T03:00:00Z"));
  });

  it("has nothing due without jobs, nor for a disabled one", () => {
    const timetable = new Timetable();
    expect(timetable.nextDue()).toBe(Number.POSITIVE_INFINITY);
    timetable.set({ ...job, enabled: false }, at("2026-11-20T12:00:00Z"));
    expect(timetable.nextDue()).toBe(Number.POSITIVE_INFINITY);
    expect(timetable.takeDue(at("2027-01-01T00:00:00Z"))).toEqual([]);
  });

  it.each([
    ["Europe/Berlin", "30 2 * * *", "2026-03-28", "2026-03-31", ["28T01:30", "29T01:00", "30T00:30"]],
    ["Europe/Berlin", "30 2 * * *", "2026-10-24", "2026-10-27", ["24T00:30", "25T00:30", "26T01:30"]],
    ["America/New_York", "0 6 * * 1-5", "2026-10-30", "2026-11-03", ["30T10:00", "02T11:00"]],
    ["UTC", "0 12 13 * 1", "2026-11-09", "2026-11-17", ["09T12:00", "13T12:00", "16T12:00"]],
  ])("in %s, %s from %s to %s", (timezone, schedule, from, to, expected) => {
    const timetable = new Timetable();
    timetable.set({ ...job, schedule, timezone }, at(`${from}T00:00:00Z`));
    const due = fired(timetable, `${from}T00:00:00Z`, `${to}T00:00:00Z`, 600_000);
    expect(due.map((each) => each.slice(10, 18))).toEqual(expected);
  });

  it("agrees with croner on every zone, day and step", () => {
    const zones = fc.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC");
    const schedules = fc.constantFrom(
      "0 3 * * *",
      "30 2 * * *",
      "15 1-4 * * *",
      "*/30 * * * *",
      "0 12 13 * 5",
      "59 1 * 3,10 0",
    );
    const days = fc.constantFrom("2026-03-28", "2026-03-07", "2026-10-03", "2026-10-24", "2026-10-31", "2026-12-31");
    fc.assert(
      fc.property(
        zones,
        schedules,
        days,
        fc.integer({ min: 600_000, max: 7_200_000 }),
        (timezone, schedule, day, stepMs) => {
          const from = at(`${day}T00:00:00Z`);
          const to = from + 3 * 86_400_000;
          const timetable = new Timetable();
          timetable.set({ ...job, schedule, timezone }, from);
          const expected: string[] = [];
          const cron = new Cron(schedule, { ...cronOptions(timezone), paused: true });
          for (
            let next = cron.nextRun(new Date(from));
            next !== null && next.getTime() <= to;
            next = cron.nextRun(next)
          ) {
            expected.push(`a@${next.toISOString()}`);
          }
          expect(fired(timetable, new Date(from).toISOString(), new Date(to).toISOString(), stepMs)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  describe("what passed while nobody looked", () => {
    it("is returned once for all that passed, and counts as missed after 90 s", () => {
      const timetable = new Timetable();
      timetable.set(job, at("2026-11-10T12:00:00Z"));
      const due = at("2026-11-21T03:00:00Z");
      expect(timetable.takeDue(at("2026-11-21T08:00:00Z"))).toEqual([{ name: "a", due, isMissed: true }]);
      expect(timetable.takeDue(at("2026-11-21T08:00:01Z"))).toEqual([]);
    });

    it.each([
      ["2026-11-21T03:01:30.000Z", false],
      ["2026-11-21T03:01:30.001Z", true],
    ])("looked at %s, missed: %s", (now, isMissed) => {
      const timetable = new Timetable();
      timetable.set(job, at("2026-11-20T12:00:00Z"));
      expect(timetable.takeDue(at(now))).toEqual([{ name: "a", due: at("2026-11-21T03:00:00Z"), isMissed }]);
    });

    it("is not made up for by a job that is new, was paused, or has another schedule", () => {
      const timetable = new Timetable();
      timetable.set(job, at("2026-11-21T04:00:00Z"));
      expect(timetable.takeDue(at("2026-11-21T08:00:00Z"))).toEqual([]);
      timetable.set({ ...job, enabled: false }, at("2026-11-21T09:00:00Z"));
      timetable.set(job, at("2026-11-25T12:00:00Z"));
      expect(timetable.takeDue(at("2026-11-25T12:00:00Z"))).toEqual([]);
      timetable.set({ ...job, schedule: "0 11 * * *" }, at("2026-11-25T12:30:00Z"));
      expect(timetable.takeDue(at("2026-11-25T12:31:00Z"))).toEqual([]);
      expect(timetable.nextDue()).toBe(at("2026-11-26T11:00:00Z"));
    });

    it("is not fired again when the same job is set again", () => {
      const timetable = new Timetable();
      timetable.set(job, at("2026-11-20T12:00:00Z"));
      expect(timetable.takeDue(at("2026-11-21T03:00:00Z"))).toHaveLength(1);
      timetable.set({ ...job }, at("2026-11-20T12:00:00Z"));
      expect(timetable.takeDue(at("2026-11-21T03:00:30Z"))).toEqual([]);
    });
  });

  it("continues from the present after the clock was set back", () => {
    const timetable = new Timetable();
    timetable.set(job, at("2030-01-01T00:00:00Z"));
    expect(timetable.takeDue(at("2026-11-21T02:00:00Z"))).toEqual([]);
    expect(timetable.nextDue()).toBe(at("2026-11-21T03:00:00Z"));
  });

  describe("on a clock that was set", () => {
    const since = at("2026-11-20T03:00:00Z");
    const dealtWith = [at("2026-11-19T03:00:00Z"), since];

    it.each(["1970-01-01T00:00:20Z", "2021-05-05T05:00:00Z", "2026-11-19T12:00:00Z", "2026-11-18T12:00:00Z"])(
      "what is on record is not fired again after it started at %s and jumped to the present",
      (started) => {
        const timetable = new Timetable();
        timetable.set(job, since, dealtWith);
        expect(timetable.takeDue(at(started))).toEqual([]);
        expect(timetable.takeDue(at("2026-11-20T12:00:00Z"))).toEqual([]);
        expect(timetable.nextDue()).toBe(at("2026-11-21T03:00:00Z"));
      },
    );

    it("what came due while the machine was off is made up for after the jump, once", () => {
      const timetable = new Timetable();
      timetable.set(job, since, dealtWith);
      expect(timetable.takeDue(at("1970-01-01T00:00:20Z"))).toEqual([]);
      const due = at("2026-11-22T03:00:00Z");
      expect(timetable.takeDue(at("2026-11-22T12:00:00Z"))).toEqual([{ name: "a", due, isMissed: true }]);
      expect(timetable.takeDue(at("2026-11-22T12:00:01Z"))).toEqual([]);
    });

    it("a job that is new is not made up for after the jump", () => {
      const timetable = new Timetable();
      timetable.set(job, at("2026-11-20T10:00:00Z"));
      expect(timetable.takeDue(at("1970-01-01T00:00:20Z"))).toEqual([]);
      expect(timetable.takeDue(at("2026-11-20T12:00:00Z"))).toEqual([]);
    });

    it("due times that it passes a second time, while it is hours behind, are not fired again", () => {
      const timetable = new Timetable();
      const hourly = { ...job, schedule: "0 * * * *" };
      const hours = [8, 9, 10, 11].map((hour) => at(`2026-11-20T${String(hour).padStart(2, "0")}:00:00Z`));
      timetable.set(hourly, hours[3] ?? 0, hours);
      expect(fired(timetable, "2026-11-20T08:30:00Z", "2026-11-20T12:30:00Z")).toEqual(["a@2026-11-20T12:00:00.000Z"]);
    });

    it("back by an hour while it runs fires nothing twice", () => {
      const timetable = new Timetable();
      timetable.set({ ...job, schedule: "*/30 * * * *" }, at("2026-11-20T10:45:00Z"));
      expect(fired(timetable, "2026-11-20T11:00:00Z", "2026-11-20T12:10:00Z")).toHaveLength(3);
      expect(fired(timetable, "2026-11-20T11:10:00Z", "2026-11-20T12:20:00Z")).toEqual([]);
      expect(timetable.nextDue()).toBe(at("2026-11-20T12:30:00Z"));
    });

    it("that was years ahead once fires as before when it is right again", () => {
      const timetable = new Timetable();
      timetable.set(job, at("2030-06-01T03:00:00Z"), [at("2030-06-01T03:00:00Z")]);
      expect(fired(timetable, "2026-11-20T12:00:00Z", "2026-11-22T12:00:00Z")).toEqual([
        "a@2026-11-21T03:00:00.000Z",
        "a@2026-11-22T03:00:00.000Z",
      ]);
    });
  });

  it("refuses a schedule or a zone that can't be read, and keeps the others", () => {
    const timetable = new Timetable();
    timetable.set(job, at("2026-11-20T12:00:00Z"));
    expect(() => timetable.set({ ...job, name: "b", schedule: "0 0 3 * * *" }, 0)).toThrow();
    expect(() => timetable.set({ ...job, name: "b", timezone: "Mars/Olympus" }, 0)).toThrow();
    expect(timetable.names()).toEqual(["a"]);
  });

  it("forgets a job that is gone", () => {
    const timetable = new Timetable();
    timetable.set(job, at("2026-11-20T12:00:00Z"));
    timetable.delete("a");
    expect(timetable.takeDue(at("2026-11-22T00:00:00Z"))).toEqual([]);
  });
});
