/** One field that a person declared, before and after; undefined: not there. */
export interface FieldChange {
  readonly field: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

type Fields = Readonly<Record<string, string>>;

/** The fields that differ, in the order in which they stand, their names in lower case. */
export function fieldChanges(before: Fields, after: Fields): FieldChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ field: name.toLowerCase(), before: before[name], after: after[name] }));
}
