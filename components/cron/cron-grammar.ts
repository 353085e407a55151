/**
 * Plain crontab(5) fields, which croner and Modal read alike. Syntax that only one of them supports (`L`, `W`, `#`,
 * `?`, `@daily`, seconds, years) is rejected.
 */
const fields = [
  { name: "minute", least: 0, most: 59, names: [] },
  { name: "hour", least: 0, most: 23, names: [] },
  { name: "day of month", least: 1, most: 31, names: [] },
  {
    name: "month",
    least: 1,
    most: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", least: 0, most: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
] as const;

type Field = (typeof fields)[number];

const order = "minute, hour, day of month, month, day of week";

const nicknames: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const counts = ["no", "one", "two", "three", "four", "five", "six", "seven"];

/** Last day, nearest weekday, nth weekday, "no specific": `L`, `5L`, `FRIL`, `LW`, `15W`, `MON#2`, `?`. */
const extension = /^(?:(?:\d+|[a-z]{3})?(L)|(?:\d+|L)(W)|.*([#?]).*)$/i;

export function fieldsOf(schedule: string): string[] {
  return schedule.split(/\s+/).filter((field) => field !== "");
}

/** Why the text is not five plain cron fields; undefined if it is. */
export function checkGrammar(schedule: string): ScheduleProblem | undefined {
  const written = JSON.stringify(schedule);
  const parts = fieldsOf(schedule);
  const [first = ""] = parts;
  if (first.startsWith("@")) {
    const meant = nicknames[first.toLowerCase()];
    const remedy = meant === undefined ? `write five fields: ${order}` : `write "${meant}"`;
    return { message: `${written} is a nickname that not every scheduler supports`, remedy };
  }
  if (parts.length !== fields.length) return { message: wrongCount(written, parts.length), remedy: fiveOf(parts) };
  for (const [index, field] of fields.entries()) {
    for (const item of (parts[index] ?? "").split(",")) {
      const problem = checkItem(item, field);
      if (problem !== undefined) return { message: `${written}: ${problem.message}`, remedy: problem.remedy };
    }
  }
  return undefined;
}

function wrongCount(written: string, count: number): string {
  const has = `${written} has ${counts[count] ?? count} ${count === 1 ? "field" : "fields"}`;
  if (count === 6) return `${has}: a schedule has five, without seconds`;
  if (count === 7) return `${has}: a schedule has five, without seconds and year`;
  return `${has}: a schedule has five (${order})`;
}

function fiveOf(parts: readonly string[]): string {
  if (parts.length === 6 || parts.length === 7) return `write "${parts.slice(1, 6).join(" ")}"`;
  return 'write all five, for instance "0 3 * * *" for 03:00 every day';
}

/** Accepts `*`, `5`, `1-5`; the first and the last may have a step (`/2`). */
function checkItem(item: string, field: Field): ScheduleProblem | undefined {
  const allowed = `write ${limits(field)}, ranges (1-5), steps (*/2) and lists of them`;
  const [range = "", step, ...rest] = item.split("/");
  const ends = range.split("-");
  const nonstandard = extension
    .exec(item)
    ?.slice(1)
    .find((found) => found !== undefined);
  if (nonstandard !== undefined) {
    const remedy = nonstandard === "?" ? "write * instead of ?" : allowed;
    return { message: `${JSON.stringify(nonstandard)} in the ${field.name} is not standard cron`, remedy };
  }
  if (item === "" || rest.length > 0 || ends.length > 2) return { message: unread(item, field), remedy: allowed };
  if (step !== undefined) {
    if (!/^\d{1,2}$/.test(step)) return { message: unread(item, field), remedy: allowed };
    const most = field.most - field.least + 1;
    if (Number(step) < 1 || Number(step) > most) {
      return { message: `a step of ${step} in the ${field.name}`, remedy: `write a step from 1 to ${most}` };
    }
    if (range !== "*" && ends.length === 1) {
      return {
        message: `${JSON.stringify(item)}: a step needs a range in the ${field.name}`,
        remedy: `write ${range}-${field.most}/${step} or */${step}`,
      };
    }
  }
  if (range === "*") return undefined;
  const numbers: number[] = [];
  for (const end of ends) {
    const number = numberOf(end, field);
    if (number === undefined) return { message: unread(item, field), remedy: allowed };
    if (number < field.least || number > field.most) {
      return { message: `there is no ${field.name} ${number}`, remedy: allowed };
    }
    numbers.push(number);
  }
  const [from = 0, to = from] = numbers;
  if (from <= to) return undefined;
  return {
    message: `the range ${range} in the ${field.name} runs backwards`,
    remedy: `write two ranges: ${range.split("-")[0]}-${field.name === "day of week" ? 7 : field.most},${field.least}-${range.split("-")[1]}`,
  };
}

function numberOf(text: string, field: Field): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const names: readonly string[] = field.names;
  const index = names.indexOf(text.toLowerCase());
  return index === -1 ? undefined : index + (field.name === "month" ? 1 : 0);
}

function unread(item: string, field: Field): string {
  return item === "" ? `an empty ${field.name}` : `${JSON.stringify(item)} is not a ${field.name}`;
}

function limits({ name, least, most, names }: Field): string {
  const [first] = names;
  const last = names.at(-1);
  const numbers = `${least}-${most}`;
  return first === undefined || last === undefined
    ? numbers
    : `${numbers} or ${first.toUpperCase()}-${last.toUpperCase()} (${name})`;
}

/** What is wrong with a schedule, and what to write instead. */
export interface ScheduleProblem {
  readonly message: string;
  readonly remedy: string;
}
