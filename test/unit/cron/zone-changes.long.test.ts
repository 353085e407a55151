import { expect, it } from "vitest";
import { lastFire, nextFire } from "../../../components/cron/cron-times.ts";

/**
 * Fire times around every change of the clocks, against a second implementation that knows nothing of offsets: it walks
 * through the minutes and looks at what a clock there shows. ZONE_CHANGES=all takes all zones that Node knows and all
 * changes of 2024 to 2030 (some minutes); by default a few of them, others each day, and all that start or end a day.
 */

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** What a clock shows, in minutes since 1970 as if it were UTC. */
function clockOf(zone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", hourCycle: "h23" },
  } as const);
  return (time) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day: date = 1, hour: hours = 0, minute: minutes = 0 } = parts;
    return Date.UTC(year, month - 1, date, hours, minutes) / minute;
  };
}

/** The first minutes with a new offset, from 2024 to 2030. */
function changesOf(zone: string): number[] {
  const clock = clockOf(zone);
  const ahead = (time: number) => clock(time) - time / minute;
  const changes: number[] = [];
  for (let time = Date.UTC(2024, 0, 1); time < Date.UTC(2031, 0, 1); time += day) {
    if (ahead(time) === ahead(time + day)) continue;
    let change = time;
    while (ahead(change) === ahead(time)) change += 15 * minute;
    changes.push(change);
  }
  return changes;
}

interface Shown {
  readonly time: number;
  readonly wall: number;
}

function matches(wall: number, minutes: readonly number[] | undefined, hours: readonly number[] | undefined): boolean {
  const ofDay = wall % 1440;
  const isMinute = minutes === undefined || minutes.includes(ofDay % 60);
  return isMinute && (hours === undefined || hours.includes(Math.floor(ofDay / 60)));
}

/** Fire times by walking: `undefined` stands for `*`, which makes it an interval. */
function walked(shown: readonly Shown[], minutes: readonly number[] | undefined, hours: readonly number[] | undefined) {
  const isInterval = minutes === undefined || hours === undefined;
  const seen = new Set<number>();
  const fires: number[] = [];
  for (const [index, { time, wall }] of shown.entries()) {
    const before = shown[index - 1]?.wall ?? wall - 1;
    let isDue = matches(wall, minutes, hours) && (isInterval || !seen.has(wall));
    for (let skipped = before + 1; skipped < wall; skipped += 1) {
      isDue ||= !isInterval && matches(skipped, minutes, hours);
    }
    seen.add(wall);
    if (isDue) fires.push(time);
  }
  return fires;
}

const zones = ["UTC", ...Intl.supportedValuesOf("timeZone")];
const isAll = process.env["ZONE_CHANGES"] === "all";
const today = Math.floor(Date.now() / day);
const few = zones.filter((_, index) => (index + today) % 100 === 0);
// Gaps that begin or end at midnight, half an hour, winter time that is ahead of summer's, a day without summer time.
const odd = [
  "America/Nuuk",
  "America/Scoresbysund",
  "America/Santiago",
  "Africa/Cairo",
  "Asia/Beirut",
  "America/Havana",
];
const others = ["Australia/Lord_Howe", "Europe/Dublin", "Africa/Casablanca", "Europe/Berlin", "Asia/Kolkata"];

/** Zones whose clocks have shown the same, and will, are one. */
function distinct(): string[] {
  const ofClock = new Map<string, string>();
  for (const zone of zones) {
    const clock = clockOf(zone);
    const changes = changesOf(zone).map((change) => [change, clock(change) - change / minute]);
    ofClock.set(JSON.stringify([clock(0) - clock(today * day), changes]), zone);
  }
  return [...ofClock.values()];
}

it.each(isAll ? distinct() : [...new Set([...odd, ...others, ...few])])(
  "%s",
  (zone) => {
    const clock = clockOf(zone);
    const changes = changesOf(zone);
    const chosen = isAll ? changes : changes.slice(0, 2);
    for (const change of chosen) {
      const [from, to] = [change - day, change + 1.5 * day];
      const shown: Shown[] = [];
      for (let time = from; time <= to; time += minute) shown.push({ time, wall: clock(time) });
      const near = [-60, -30, -1, 0, 30].map((by) => clock(change) + by);
      for (const wall of near) {
        const [at, hours] = [wall % 60, Math.floor((wall % 1440) / 60)];
        const schedules: [string, number[] | undefined, number[] | undefined][] = [
          [`${at} ${hours} * * *`, [at], [hours]],
          [
            `${at},${(at + 20) % 60} ${hours},${(hours + 1) % 24} * * *`,
            [at, (at + 20) % 60],
            [hours, (hours + 1) % 24],
          ],
          [`${at} * * * *`, [at], undefined],
          [`* ${hours} * * *`, undefined, [hours]],
        ];
        for (const [schedule, minutes, hoursOf] of schedules) {
          const expected = walked(shown, minutes, hoursOf).filter((time) => time > change - 12 * hour);
          const found: number[] = [];
          let next = nextFire(schedule, zone, change - 12 * hour);
          while (next !== undefined && next <= to) {
            found.push(next);
            next = nextFire(schedule, zone, next);
            if (found.length > 300) break;
          }
          const inWords = (times: number[]) => times.slice(0, 300).map((time) => new Date(time).toISOString());
          expect(inWords(found), `${schedule} in ${zone}`).toEqual(inWords(expected));
          const [first, last] = [expected[0], expected.at(-1)];
          if (first !== undefined && last !== undefined) expect(lastFire(schedule, zone, first, to)).toBe(last);
        }
      }
    }
  },
  600_000,
);
