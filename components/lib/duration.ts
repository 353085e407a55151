const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/**
 * Parses a duration of the fleet file (`"7d"`, `"12h"`) into seconds.
 * @throws RangeError if the text is not a duration
 */
export function durationSeconds(duration: string): number {
  const unit = unitSeconds[duration.slice(-1)];
  if (unit === undefined || !durationPattern.test(duration)) throw new RangeError("not a duration");
  return Number(duration.slice(0, -1)) * unit;
}

/** A whole number and a unit: `7d`. */
export const durationPattern = /^[1-9][0-9]{0,8}[smhdw]$/;
