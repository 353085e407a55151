/**
 * The DRIFT of a Command: how the live thing differs, and the number of the repair, so that the same drift is a change
 * again when it recurs. It never depends on the clock, so `up` sees the same value as its preview.
 */
const numbered = / \(repair (\d+)\)$/;

/** @param last the DRIFT in the state */
export function nextRepair(drift: string, last: string): string {
  const [, repairs = "0"] = numbered.exec(last) ?? [];
  return `${drift} (repair ${Number(repairs) + 1})`;
}

/** The description in a DRIFT, without the repair's number. */
export function driftInWords(drift: string): string {
  return drift.replace(numbered, "");
}
