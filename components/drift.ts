/**
 * A drift in the words of its Command's DRIFT. The time makes each mend a change, also when the same thing drifts twice.
 *
 * @returns for instance `its job file is missing (seen 2026-11-21T06:00:00.123Z)`; undefined when nothing drifted
 */
export function drifted(what: string | undefined, now: Date = new Date()): string | undefined {
  return what === undefined ? undefined : `${what} (seen ${now.toISOString()})`;
}
