import type { CronOptions } from "croner";

/**
 * How every reader of a schedule here must set croner: exactly five fields; restricted days of month and of week are
 * joined by "or", as in crontab(5); a time of day that the clocks skip fires right after the gap, and one that they
 * repeat fires once, also when the minute or the hour is a list.
 */
export function cronOptions(timezone: string) {
  return { mode: "5-part", domAndDow: false, fixedTimeRule: "no-wildcard", timezone } satisfies CronOptions;
}
