import * as z from "zod/mini";
import type { Queryable, Value } from "../database/database.ts";
import { type AuditEntry, auditEntry } from "../domain.ts";
import { isoNow, nextNumber, numberOf } from "./ids.ts";
import type { Store } from "./store.ts";

// A later release may have added fields.
const stored = z.object(auditEntry.shape);

export async function addEntry(database: Queryable, given: Omit<AuditEntry, "number" | "at">): Promise<AuditEntry> {
  const number = await nextNumber(database, "audit");
  const data = JSON.stringify(stored.parse({ ...given, number, at: await isoNow(database) }));
  const change = given.change === undefined ? null : (numberOf("c", given.change) ?? null);
  await database.query("INSERT INTO audit(number, change, data) VALUES ($1, $2, $3)", [number, change, data]);
  return stored.parse(JSON.parse(data));
}

export async function listEntries(
  { query }: Queryable,
  { limit, before, change }: Parameters<Store["auditLog"]>[0],
): Promise<readonly AuditEntry[]> {
  const parameters: Value[] = [limit];
  const conditions: string[] = [];
  const where = (column: string, value: Value) => conditions.push(`${column} $${parameters.push(value)}`);
  if (before !== undefined) where("number <", before);
  if (change !== undefined) where("change =", numberOf("c", change) ?? 0);
  const filter = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const sql = `SELECT data FROM audit ${filter} ORDER BY number DESC LIMIT $1`;
  return (await query<{ data: string }>(sql, parameters)).map(({ data }) => stored.parse(JSON.parse(data)));
}
