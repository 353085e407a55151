import * as z from "zod/mini";
import type { Diagnostic, KeyPath } from "./diagnostics.ts";
import type { Schemas, Table } from "./kind.ts";
import { diagnosticsOf, isTable } from "./zod-issues.ts";

/** A table without its invalid values. */
export interface ValidTable {
  readonly table: Table;
  /** The removed options, which are replaced by defaults. */
  readonly invalid: ReadonlySet<string>;
  /** The removed list elements, by option. */
  readonly dropped: ReadonlyMap<string, readonly number[]>;
}

/**
 * Removes invalid values from a table, and reports each.
 * @param path of the table in the file
 * @param schemas of the table's keys, each documented; keys without a schema are kept unchanged
 */
export function validOptions(table: Table, path: KeyPath, diagnostics: Diagnostic[], schemas: Schemas): ValidTable {
  let kept = table;
  const dropped = new Map<string, readonly number[]>();
  for (const [key, value] of Object.entries(table)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    const elements = new Set<number>();
    for (const found of (schema && z.safeParse(schema, value).error?.issues) ?? []) {
      const issue = { ...found, path: [key, ...found.path] };
      diagnostics.push(...diagnosticsOf(issue, path, table, schemas));
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
  const invalid = new Set(Object.keys(table).filter((key) => !Object.hasOwn(kept, key)));
  return { table: kept, invalid, dropped };
}

/** The original index of an element of a list without its invalid elements. */
export function writtenIndex(index: number, dropped: readonly number[] = []): number {
  return dropped.reduce((at, missing) => (missing <= at ? at + 1 : at), index);
}

/**
 * Whether a diagnostic is only about a default that replaced an invalid value, which is already reported.
 *
 * @param option that the diagnostic is about
 */
export function dependsOnInvalid({ reads = [] }: Diagnostic, option: unknown, invalid: ReadonlySet<string>): boolean {
  return [option, ...reads].some((each) => typeof each === "string" && invalid.has(each));
}

/** Removes only the invalid entry of a table, so the others are still checked. A nested list is removed as a whole. */
function without(table: Table, [key, ...below]: readonly PropertyKey[]): Table {
  const { [String(key)]: value, ...others } = table;
  return typeof below[0] === "string" && isTable(value) ? { ...others, [String(key)]: without(value, below) } : others;
}
