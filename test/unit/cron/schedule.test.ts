import { describe, expect, it } from "vitest";
import {
  nextFires,
  normalSchedule,
  scheduleDoubt,
  scheduleInWords,
  scheduleProblem,
} from "../../../components/cron/schedule.ts";

describe("a schedule in words", () => {
  it.each([
    ["0 3 * * *", "At 03:00, every day"],
    ["0 6 * * 1-5", "At 06:00, Monday through Friday"],
    ["30 2,14 * * *", "At 02:30 and 14:30, every day"],
    ["*/15 9-17 * * MON-FRI", "Every 15 minutes, between 09:00 and 17:59, Monday through Friday"],
    ["0 * * * *", "Every hour"],
    ["5 4 * * 7", "At 04:05, only on Sunday"],
    ["0 0 1 1 *", "At 00:00, on day 1 of the month, only in January"],
    ["0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday"],
    ["0 3 1-31/2 * 1", "At 03:00, every 2 days in a month, between day 1 and 31 of the month, or on Monday"],
    ["0 3 1,15 3 1-5", "At 03:00, on day 1 and 15 of the month, or Monday through Friday, only in March"],
    ["*/30 * 13 * */2", "Every 30 minutes, on day 13 of the month, or every 2 days of the week"],
    [" 0  3 *\t* * ", "At 03:00, every day"],
  ])("%s", (schedule, words) => {
    expect(scheduleInWords(schedule)).toBe(words);
  });

  it("has one layout", () => {
    expect(normalSchedule(" 0  3 *\t* * ")).toBe("0 3 * * *");
  });
});

describe("a schedule that is refused", () => {
  const lists = "ranges (1-5), steps (*/2) and lists of them";
  it.each([
    [
      "",
      '"" has no fields: a schedule has five (minute, hour, day of month, month, day of week)',
      'write all five, for instance "0 3 * * *" for 03:00 every day',
    ],
    [
      "0 3 * *",
      '"0 3 * *" has four fields: a schedule has five (minute, hour, day of month, month, day of week)',
      'write all five, for instance "0 3 * * *" for 03:00 every day',
    ],
    ["0 0 3 * * *", '"0 0 3 * * *" has six fields: a schedule has five, without seconds', 'write "0 3 * * *"'],
    [
      "0 0 3 * * * 2030",
      '"0 0 3 * * * 2030" has seven fields: a schedule has five, without seconds and year',
      'write "0 3 * * *"',
    ],
    [
      "1 2 3 4 5 6 7 8",
      '"1 2 3 4 5 6 7 8" has 8 fields: a schedule has five (minute, hour, day of month, month, day of week)',
      'write all five, for instance "0 3 * * *" for 03:00 every day',
    ],
    ["@daily", '"@daily" is a nickname that not every scheduler supports', 'write "0 0 * * *"'],
    [
      "@reboot",
      '"@reboot" is a nickname that not every scheduler supports',
      "write five fields: minute, hour, day of month, month, day of week",
    ],
    ["60 * * * *", '"60 * * * *": there is no minute 60', `write 0-59, ${lists}`],
    ["0 24 * * *", '"0 24 * * *": there is no hour 24', `write 0-23, ${lists}`],
    ["0 0 0 * *", '"0 0 0 * *": there is no day of month 0', `write 1-31, ${lists}`],
    ["0 0 * 13 *", '"0 0 * 13 *": there is no month 13', `write 1-12 or JAN-DEC (month), ${lists}`],
    ["0 0 * * 8", '"0 0 * * 8": there is no day of week 8', `write 0-7 or SUN-SAT (day of week), ${lists}`],
    ["0 0 * * JUL", '"0 0 * * JUL": "JUL" is not a day of week', `write 0-7 or SUN-SAT (day of week), ${lists}`],
    ["x 0 * * *", '"x 0 * * *": "x" is not a minute', `write 0-59, ${lists}`],
    ["+1 0 * * *", '"+1 0 * * *": "+1" is not a minute', `write 0-59, ${lists}`],
    ["1,,2 0 * * *", '"1,,2 0 * * *": an empty minute', `write 0-59, ${lists}`],
    ["1-2-3 0 * * *", '"1-2-3 0 * * *": "1-2-3" is not a minute', `write 0-59, ${lists}`],
    ["*/2/3 0 * * *", '"*/2/3 0 * * *": "*/2/3" is not a minute', `write 0-59, ${lists}`],
    ["*/0 0 * * *", '"*/0 0 * * *": a step of 0 in the minute', "write a step from 1 to 60"],
    ["0 */25 * * *", '"0 */25 * * *": a step of 25 in the hour', "write a step from 1 to 24"],
    ["5/15 0 * * *", '"5/15 0 * * *": "5/15": a step needs a range in the minute', "write 5-59/15 or */15"],
    ["0 22-2 * * *", '"0 22-2 * * *": the range 22-2 in the hour runs backwards', "write two ranges: 22-23,0-2"],
    ["0 0 L * *", '"0 0 L * *": "L" in the day of month is not standard cron', `write 1-31, ${lists}`],
    ["0 0 15W * *", '"0 0 15W * *": "W" in the day of month is not standard cron', `write 1-31, ${lists}`],
    [
      "0 0 * * FRIL",
      '"0 0 * * FRIL": "L" in the day of week is not standard cron',
      `write 0-7 or SUN-SAT (day of week), ${lists}`,
    ],
    [
      "0 0 * * MON#2",
      '"0 0 * * MON#2": "#" in the day of week is not standard cron',
      `write 0-7 or SUN-SAT (day of week), ${lists}`,
    ],
    ["0 0 ? * *", '"0 0 ? * *": "?" in the day of month is not standard cron', "write * instead of ?"],
    [
      "0 0 31 2 *",
      '"0 0 31 2 *" never fires: none of its months has such a day',
      'write a day of month (the third field) that exists; for the first of each month: "0 0 1 * *"',
    ],
    [
      "0 0 31 4,6,9,11 *",
      '"0 0 31 4,6,9,11 *" never fires: none of its months has such a day',
      'write a day of month (the third field) that exists; for the first of each month: "0 0 1 * *"',
    ],
    [
      "* * * * *",
      '"* * * * *" fires a minute apart, more often than every 5 minutes',
      'write "*/5 * * * *", or set allow_frequent = true if this is intended',
    ],
    [
      "*/7 * * * *",
      '"*/7 * * * *" fires 4 minutes apart, more often than every 5 minutes',
      'write "*/5 * * * *", or set allow_frequent = true if this is intended',
    ],
    [
      "0,2 3 1 1 *",
      '"0,2 3 1 1 *" fires 2 minutes apart, more often than every 5 minutes',
      "leave 5 minutes between them, or set allow_frequent = true if this is intended",
    ],
    [
      "0,58 * * * *",
      '"0,58 * * * *" fires 2 minutes apart, more often than every 5 minutes',
      "leave 5 minutes between them, or set allow_frequent = true if this is intended",
    ],
  ])("%j", (schedule, message, remedy) => {
    expect(scheduleProblem(schedule, false)).toEqual({ message, remedy });
  });

  it.each(["0,58 0,23 * * *", "0,58 0,23 5,6 * *", "0,58 0,23 1 * 3", "0,58 0,23 29 2 SUN"])(
    "%s, over midnight",
    (schedule) => {
      expect(scheduleProblem(schedule, false)?.message).toBe(
        `"${schedule}" fires 2 minutes apart, more often than every 5 minutes`,
      );
    },
  );

  it.each([
    "0,58 0,23 5,7 * *",
    "0,58 0,23 * * 1",
    "*/5 * * * *",
    "0,5,55 * * * *",
    "0 0 29 2 *",
    "0 0 31 2 1",
    "* * * * * ",
  ])("%j is not, where such a time is allowed or doesn't come", (schedule) => {
    expect(scheduleProblem(schedule, schedule.startsWith("* "))).toBeUndefined();
  });
});

describe("a schedule that is read in two ways", () => {
  it.each([
    ["0 3 */2 * 1", "write 1-31/2 instead of */2: then either suffices everywhere"],
    ["0 3 13 * */2", "write 0-6/2 instead of */2: then either suffices everywhere"],
    ["0 3 */2,5 * 1", "write 1-31/2,5 instead of */2,5: then either suffices everywhere"],
  ])("%s is warned of", (schedule, remedy) => {
    const doubt = scheduleDoubt(schedule);
    expect(doubt?.message).toContain("crontab(5) requires both to match where one begins with *");
    expect(doubt?.remedy).toBe(remedy);
    const [written = "", instead = ""] = [...remedy.matchAll(/\S+(?= instead|:)/g)].map(([text]) => text).reverse();
    const plain = schedule.replace(written, instead);
    expect(scheduleDoubt(plain)).toBeUndefined();
    const from = new Date("2026-11-01T00:00:00Z");
    expect(nextFires(schedule, "UTC", from, 30)).toEqual(nextFires(plain, "UTC", from, 30));
  });

  it.each(["0 3 */2 * *", "0 3 * * */2", "0 3 13 * 1", "*/5 */2 13 */2 1"])("%s is not", (schedule) => {
    expect(scheduleDoubt(schedule)).toBeUndefined();
  });
});
