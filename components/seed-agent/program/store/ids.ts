import type { Queryable } from "../database/database.ts";

/** @param id may come from a URL. @returns undefined if it is not an id of this kind */
export function numberOf(letter: "v" | "c", id: string): number | undefined {
  return id.startsWith(letter) && /^\d{1,15}$/.test(id.slice(1)) ? Number(id.slice(1)) : undefined;
}

/** Returns the next number, without gaps or reuse. Call it only in a transaction. */
export async function nextNumber(
  { query }: Pick<Queryable, "query">,
  name: "version" | "change" | "audit",
): Promise<number> {
  const rows = await query<{ value: number }>("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value", [
    name,
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error(`the database has no counter ${name}`);
  return row.value;
}

export async function now({ query }: Pick<Queryable, "query">): Promise<number> {
  const [row] = await query<{ now: number }>("SELECT seed_now() AS now");
  if (row === undefined) throw new Error("the database has no clock");
  return Math.floor(row.now);
}

export async function isoNow(database: Pick<Queryable, "query">): Promise<string> {
  return new Date(await now(database)).toISOString();
}

/** @returns for instance `$2, $3, $4` for `first` 2 and `count` 3 */
export function placeholders(first: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `$${first + index}`).join(", ");
}
