import * as z from "zod/mini";
import type { Finding, KeyPath } from "./fault.ts";
import { findingsOf, isTable, type Schemas, type Table } from "./shape.ts";

/**
 * The table without the values that are wrong, which become findings.
 * @param path of the table in the file
 * @param schemas of the table's keys, each documented; what has none is kept as it is
 */
export function soundOptions(table: Table, path: KeyPath, findings: Finding[], schemas: Schemas): Table {
  let kept = table;
  for (const [key, value] of Object.entries(table)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    for (const found of (schema && z.safeParse(schema, value).error?.issues) ?? []) {
      const issue = { ...found, path: [key, ...found.path] };
      findings.push(...findingsOf(issue, path, table, schemas));
      const wrong = issue.code === "unrecognized_keys" ? issue.keys.map((each) => [...issue.path, each]) : [issue.path];
      for (const keys of wrong) kept = without(kept, keys);
    }
  }
  return kept;
}

/** One bad entry doesn't keep the others of its table from being checked; one of a list takes the list with it. */
function without(table: Table, [key, ...below]: readonly PropertyKey[]): Table {
  const { [String(key)]: value, ...others } = table;
  return typeof below[0] === "string" && isTable(value) ? { ...others, [String(key)]: without(value, below) } : others;
}
