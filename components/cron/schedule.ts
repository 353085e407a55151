import { Cron } from "croner";
import cronstrue from "cronstrue";
import { checkGrammar, fieldsOf, type ScheduleProblem } from "./cron-grammar.ts";
import { nextFire } from "./cron-times.ts";

const leastMinutesApart = 5;
const minutesInDay = 24 * 60;

/** A schedule with single spaces, so that whitespace never shows as a change. */
export function normalSchedule(schedule: string): string {
  return fieldsOf(schedule).join(" ");
}

/** For people: "At 06:00, Monday through Friday", "At 03:00, every day". 24-hour clock. */
export function scheduleInWords(schedule: string): string {
  const plain = normalSchedule(schedule);
  const words = wordsOfEither(plain) ?? wordsOf(plain);
  const isDaily = words.startsWith("At ") && plain.endsWith(" * * *");
  return isDaily ? `${words}, every day` : words;
}

function wordsOf(schedule: string): string {
  return cronstrue.toString(schedule, { use24HourTimeFormat: true });
}

/** cronstrue joins day of month and day of week by "and", but either suffices. Undefined unless both are set. */
function wordsOfEither(schedule: string): string | undefined {
  const [minute, hour, day, month, weekday] = fieldsOf(schedule);
  if (day === "*" || weekday === "*") return undefined;
  const time = wordsOf(`${minute} ${hour} * * *`);
  /** `, on day 13 of the month` */
  const part = (rest: string) => wordsOf(`${minute} ${hour} ${rest}`).slice(time.length);
  return `${time}${part(`${day} * *`)}${part(`* * ${weekday}`).replace(/^, (?:only )?/, ", or ")}${part(`* ${month} *`)}`;
}

/**
 * The next `count` fire times after `from`, daylight saving included.
 * @param timezone IANA name
 */
export function nextFires(schedule: string, timezone: string, from: Date, count: number): Date[] {
  const fires: Date[] = [];
  for (let next = nextFire(schedule, timezone, from.getTime()); next !== undefined && fires.length < count; ) {
    fires.push(new Date(next));
    next = nextFire(schedule, timezone, next);
  }
  return fires;
}

/** Everything wrong with a schedule regardless of its zone; undefined if it is valid. */
export function scheduleProblem(schedule: string, allowFrequent: boolean): ScheduleProblem | undefined {
  return allowFrequent ? problemOf(schedule) : (problemOf(schedule) ?? tooFrequent(schedule));
}

/** Where readers of schedules disagree; undefined if they don't. */
export function scheduleDoubt(schedule: string): ScheduleProblem | undefined {
  const [, , day = "*", , weekday = "*"] = fieldsOf(schedule);
  if (day === "*" || weekday === "*") return undefined;
  const [field, all] = day.startsWith("*") ? [day, "1-31"] : [weekday, "0-6"];
  if (!field.startsWith("*")) return undefined;
  const message = `${JSON.stringify(schedule)} fires when the day of the month or the day of the week matches; crontab(5) requires both to match where one begins with *, and what Modal does is not documented`;
  return { message, remedy: `write ${field.replace("*", all)} instead of ${field}: then either suffices everywhere` };
}

const problemOf = cached((schedule: string): ScheduleProblem | undefined => {
  const problem = checkGrammar(schedule);
  if (problem !== undefined) return problem;
  const [minute = "", hour = "", ...days] = fieldsOf(schedule);
  if (!everFires(days.join(" "))) {
    return {
      message: `${JSON.stringify(schedule)} never fires: none of its months has such a day`,
      remedy: `write a day of month (the third field) that exists; for the first of each month: "${minute} ${hour} 1 * *"`,
    };
  }
  return undefined;
});

const tooFrequent = cached((schedule: string): ScheduleProblem | undefined => {
  const [minute = "", hour = "", ...days] = fieldsOf(schedule);
  const apart = minutesApart(minute, hour, days.join(" "));
  if (apart >= leastMinutesApart) return undefined;
  const often = apart === 1 ? "a minute" : `${apart} minutes`;
  const wider = minute.startsWith("*")
    ? `write "*/${leastMinutesApart} ${hour} ${days.join(" ")}"`
    : `leave ${leastMinutesApart} minutes between them`;
  return {
    message: `${JSON.stringify(schedule)} fires ${often} apart, more often than every ${leastMinutesApart} minutes`,
    remedy: `${wider}, or set allow_frequent = true if this is intended`,
  };
});

/** 29 February comes at least every eight years. */
const everFires = cached((days: string) => runs(`0 0 ${days}`, 9 * 366 * minutesInDay).next().done === false);

const timesOfDay = cached((minuteAndHour: string) => [...runs(`${minuteAndHour} * * *`, minutesInDay)]);

/**
 * Whether the schedule fires on two consecutive days: within 28 years, after which dates repeat on the same weekdays.
 */
const hasNeighbours = cached((days: string) => {
  let last = Number.NEGATIVE_INFINITY;
  for (const time of runs(`0 0 ${days}`, 28 * 366 * minutesInDay)) {
    if (time - last === minutesInDay) return true;
    last = time;
  }
  return false;
});

/**
 * The shortest interval between two fires, in minutes, measured on the fire times themselves, in a zone without clock
 * changes. A single minute of the hour is always at least an hour from the next.
 */
function minutesApart(minute: string, hour: string, days: string): number {
  if (/^\d+$/.test(minute)) return 60;
  const times = timesOfDay(`${minute} ${hour}`);
  let least = Number.POSITIVE_INFINITY;
  for (const [index, time] of times.entries()) {
    if (index > 0) least = Math.min(least, time - (times[index - 1] ?? 0));
  }
  const overMidnight = (times[0] ?? 0) + minutesInDay - (times.at(-1) ?? 0);
  return overMidnight < leastMinutesApart && overMidnight < least && hasNeighbours(days) ? overMidnight : least;
}

/** The fires from a midnight until `end`, in minutes since that midnight, in order. */
function* runs(schedule: string, end: number): Generator<number> {
  const midnight = Date.UTC(2024, 0, 1);
  const cron = new Cron(schedule, { mode: "5-part", utcOffset: 0, stopAt: new Date(midnight + end * 60_000) });
  for (const time of cron.enumerate(new Date(midnight - 1000))) yield (time.getTime() - midnight) / 60_000;
}

/** A fleet repeats the same few schedules, days and times of day. */
function cached<Value>(compute: (key: string) => Value): (key: string) => Value {
  const values = new Map<string, { readonly value: Value }>();
  return (key) => {
    const entry = values.get(key) ?? { value: compute(key) };
    values.set(key, entry);
    return entry.value;
  };
}
