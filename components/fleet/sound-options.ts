import * as z from "zod/mini";
import type { Finding, KeyPath } from "./diagnostics.ts";
import type { Schemas, Table } from "./kind.ts";
import { findingsOf, isTable } from "./zod-issues.ts";

/** A table without the values that are wrong. */
export interface Sound {
  readonly table: Table;
  /** The options that are left out: a default stands in for them. */
  readonly unsound: ReadonlySet<string>;
  /** By option: which elements of its list are left out. */
  readonly dropped: ReadonlyMap<string, readonly number[]>;
}

/**
 * The table without the values that are wrong, which become findings.
 * @param path of the table in the file
 * @param schemas of the table's keys, each documented; what has none is kept as it is
 */
export function soundOptions(table: Table, path: KeyPath, findings: Finding[], schemas: Schemas): Sound {
  let kept = table;
  const dropped = new Map<string, readonly number[]>();
  for (const [key, value] of Object.entries(table)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    const elements = new Set<number>();
    for (const found of (schema && z.safeParse(schema, value).error?.issues) ?? []) {
      const issue = { ...found, path: [key, ...found.path] };
      findings.push(...findingsOf(issue, path, table, schemas));
      const wrong = issue.code === "unrecognized_keys" ? issue.keys.map((each) => [...issue.path, each]) : [issue.path];
      for (const keys of wrong) {
        if (Array.isArray(value) && typeof keys[1] === "number") elements.add(keys[1]);
        else kept = without(kept, keys);
      }
    }
    if (elements.size === 0 || !Array.isArray(value) || !Object.hasOwn(kept, key)) continue;
    kept = { ...kept, [key]: value.filter((_, index) => !elements.has(index)) };
    dropped.set(
      key,
      [...elements].sort((one, other) => one - other),
    );
  }
  const unsound = new Set(Object.keys(table).filter((key) => !Object.hasOwn(kept, key)));
  return { table: kept, unsound, dropped };
}

/** Where an element of a sound list stands in the list as it is written. */
export function writtenIndex(index: number, dropped: readonly number[] = []): number {
  return dropped.reduce((at, missing) => (missing <= at ? at + 1 : at), index);
}

/**
 * Whether what was found is about a default that stands in for a value that is wrong, which is an error already.
 * @param option the one that the finding is about
 */
export function isOfStandIn({ reads = [] }: Finding, option: unknown, unsound: ReadonlySet<string>): boolean {
  return [option, ...reads].some((each) => typeof each === "string" && unsound.has(each));
}

/** One bad entry of a table doesn't keep the others from being checked; one of a list within it takes that list along. */
function without(table: Table, [key, ...below]: readonly PropertyKey[]): Table {
  const { [String(key)]: value, ...others } = table;
  return typeof below[0] === "string" && isTable(value) ? { ...others, [String(key)]: without(value, below) } : others;
}
