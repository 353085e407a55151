/**
 * The DRIFT of a Command: how its thing differs, and the number of the repair, by which the same drift is a change when
 * it comes again. Nothing of it depends on the clock, so that `up` finds what its preview planned.
 */
const numbered = / \(repair (\d+)\)$/;

/** @param last the DRIFT that the state has */
export function nextRepair(drift: string, last: string): string {
  const [, repairs = "0"] = numbered.exec(last) ?? [];
  return `${drift} (repair ${Number(repairs) + 1})`;
}

/** The words of a DRIFT alone. */
export function driftInWords(drift: string): string {
  return drift.replace(numbered, "");
}
