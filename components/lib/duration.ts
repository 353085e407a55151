const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/**
 * A duration as the fleet file has it (`"7d"`, `"12h"`), in seconds.
 * @throws RangeError when the text is none
 */
export function durationSeconds(duration: string): number {
  const unit = unitSeconds[duration.slice(-1)];
  if (unit === undefined || !durationPattern.test(duration)) throw new RangeError("not a duration");
  return Number(duration.slice(0, -1)) * unit;
}

/** `7d`: a whole number and a unit. */
export const durationPattern = /^[1-9][0-9]{0,8}[smhdw]$/;
