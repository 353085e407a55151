import { Cron, type CronOptions } from "croner";

/**
 * When a schedule fires in a zone. croner computes which local times match, without a zone. Clock changes are handled
 * here, because croner loses a day whose gap ends at midnight (America/Nuuk, 2026-03-28 23:00).
 *
 * A time of day that the clocks skip fires right after the gap. One that they repeat fires once, the first time. A
 * schedule with `*` or a step in its minutes or hours is an interval: it fires whenever the clock shows a matching
 * time. Times are milliseconds since 1970, UTC.
 */

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/**
 * The first time after `after`; undefined if there is none.
 * @param timezone IANA name
 * @throws if schedule or zone is invalid
 */
export function nextFire(schedule: string, timezone: string, after: number): number | undefined {
  const cron = new Cron(schedule, { ...cronOptions("UTC"), paused: true });
  const offsetAt = offsetsOf(timezone);
  const isTimeOfDay = !/[*/]/.test(schedule.trim().split(/\s+/).slice(0, 2).join(" "));
  /** The first matching local time later than `wall`. */
  const nextOn = (wall: number) => cron.nextRun(new Date(wall))?.getTime();
  let from = after;
  // Local times that the clocks repeat have already fired.
  let shown = isTimeOfDay ? lastShown(offsetAt, after) : Number.NEGATIVE_INFINITY;
  for (;;) {
    const offset = offsetAt(from);
    const wall = nextOn(Math.max(from + offset, shown));
    if (wall === undefined) return undefined;
    const change = nextChange(offsetAt, from, wall - offset);
    if (change === undefined) return wall - offset;
    const newOffset = offsetAt(change);
    if (isTimeOfDay && wall < change + newOffset) return change;
    if (isTimeOfDay && newOffset < offset) shown = Math.max(shown, change + offset - 1);
    from = change - 1;
    // The new clock may match at the change itself.
    const atChange = nextOn(Math.max(change + newOffset - 1, shown));
    if (atChange === change + newOffset) return change;
    from = change;
  }
}

/** The last time up to `until`. `least` must itself be a fire time; nothing before it is returned. */
export function lastFire(schedule: string, timezone: string, least: number, until: number): number {
  for (let span = hourMs; ; span *= 8) {
    const start = Math.max(least, until - span);
    let last = start === least ? least : undefined;
    for (let next = nextFire(schedule, timezone, start); next !== undefined && next <= until; ) {
      last = next;
      next = nextFire(schedule, timezone, next);
    }
    if (last !== undefined) return last;
  }
}

/** The latest local time shown by `at`, if the clocks were set back within the last day. */
function lastShown(offsetAt: (time: number) => number, at: number): number {
  const change = nextChange(offsetAt, at - dayMs, at);
  if (change === undefined) return Number.NEGATIVE_INFINITY;
  const [before, after] = [offsetAt(change - 1), offsetAt(change)];
  return after < before ? change + before - 1 : Number.NEGATIVE_INFINITY;
}

/** The first time in (`from`, `to`] with a different offset. Changes are at least a day apart. */
function nextChange(offsetAt: (time: number) => number, from: number, to: number): number | undefined {
  const offset = offsetAt(from);
  for (let before = from; before < to; ) {
    const after = Math.min(before + dayMs, to);
    if (offsetAt(after) !== offset) return firstOf(offsetAt, offset, before, after);
    before = after;
  }
  return undefined;
}

function firstOf(offsetAt: (time: number) => number, offset: number, from: number, to: number): number {
  let [before, after] = [from, to];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle) === offset) before = middle;
    else after = middle;
  }
  return after;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** A zone's offset from UTC, in milliseconds. */
function offsetsOf(timezone: string): (time: number) => number {
  if (timezone === "UTC") return () => 0;
  const known = formats.get(timezone);
  const format = known ?? new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
  formats.set(timezone, format);
  return (time) => {
    const [, sign, hours, minutes, seconds = 0] = /GMT([+-])(\d+):(\d+)(?::(\d+))?/.exec(format.format(time)) ?? [];
    const offset = (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds)) * 1000;
    return sign === "-" ? -offset : offset;
  };
}

/**
 * The croner options that every reader of a schedule must use: exactly five fields; restricted days of month and of
 * week are joined by "or", as in crontab(5); a time of day that the clocks skip fires right after the gap, and a
 * repeated one fires once, even if the minute or the hour is a list.
 */
export function cronOptions(timezone: string) {
  return { mode: "5-part", domAndDow: false, fixedTimeRule: "no-wildcard", timezone } satisfies CronOptions;
}
