import { type Bag, equal, isPlainObject, isUnknownSecret, type Wire } from "../wire.ts";

/** What changed at one path. The names are those of provider.proto. */
export type Change = "ADD" | "ADD_REPLACE" | "DELETE" | "DELETE_REPLACE" | "UPDATE" | "UPDATE_REPLACE";
export interface PropertyChange {
  /** The input that contains the path, `environment` for `environment.A`. */
  input: string;
  /** Pulumi's spelling: `environment.A`, `triggers[0]`, `environment["A.B"]`. */
  path: string;
  change: Change;
}
type Path = (string | number)[];

/**
 * The differences between the inputs of the last and of the next update. Only a change of `triggers` as a whole
 * requests a replacement here; for a change inside it, the SDK does (`replaceOnChanges: ["triggers[*]"]`).
 */
export function diff(oldInputs: Bag, newInputs: Bag): PropertyChange[] {
  const changes: PropertyChange[] = [];
  const report = (at: Path, change: "ADD" | "DELETE" | "UPDATE") => {
    const path = spell(at);
    changes.push({ input: String(at[0]), path, change: path === "triggers" ? `${change}_REPLACE` : change });
  };
  diffObjects(oldInputs, newInputs, [], report);
  return changes;
}

type Report = (at: Path, change: "ADD" | "DELETE" | "UPDATE") => void;

function diffObjects(before: Bag, after: Bag, at: Path, report: Report): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, next] = [before[key], after[key]];
    // The official plugin sees no difference in a secret that is not known yet, whatever its old value.
    if (isUnknownSecret(next) || (next === undefined && isUnknownSecret(old))) continue;
    if (old === undefined) report([...at, key], "ADD");
    else if (next === undefined) report([...at, key], "DELETE");
    else diffValues(old, next, [...at, key], report);
  }
}

function diffValues(old: Wire, next: Wire, at: Path, report: Report): void {
  if (Array.isArray(old) && Array.isArray(next)) {
    for (const [index, element] of old.entries()) {
      const other = next[index];
      if (other === undefined) report([...at, index], "DELETE");
      else diffValues(element, other, [...at, index], report);
    }
    for (let index = old.length; index < next.length; index++) report([...at, index], "ADD");
  } else if (isPlainObject(old) && isPlainObject(next)) {
    diffObjects(old, next, at, report);
  } else if (!equal(old, next)) {
    report(at, old === null ? "ADD" : next === null ? "DELETE" : "UPDATE");
  }
}

const spell = (path: Path): string =>
  path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      if (!/^\w*$/.test(key)) return `["${key.replaceAll('"', '\\"')}"]`;
      return index === 0 ? key : `.${key}`;
    })
    .join("");
