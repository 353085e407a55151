/** One declared field, before and after; undefined if absent. */
export interface FieldChange {
  readonly field: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

type Fields = Readonly<Record<string, string>>;

/** The fields that differ, in their original order, with names in lower case. */
export function fieldChanges(before: Fields, after: Fields): FieldChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ field: name.toLowerCase(), before: before[name], after: after[name] }));
}
