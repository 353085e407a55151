import type { Queryable } from "../database/database.ts";
import { placeholders } from "./ids.ts";
import { StateFull } from "./store.ts";

/** In bytes of UTF-8. */
const largestValue = 64 * 1024;
const longestKey = 1024;
const maxKeys = 10_000;
/** PostgreSQL has at most 65,535 parameters in a statement, SQLite 32,766. */
const rowsAtOnce = 500;

type State = Readonly<Record<string, string>>;

/** As JSON, because PostgreSQL's TEXT can't hold NUL, and neither database can hold half a surrogate pair. */
const encode = (text: string): string => JSON.stringify(text);

function decode(text: string): string {
  const value: unknown = JSON.parse(text);
  return typeof value === "string" ? value : String(value);
}

export async function stateGet({ query }: Queryable, keys: readonly string[]): Promise<State> {
  const rows: { name: string; value: string }[] = [];
  for (let at = 0; at < keys.length; at += rowsAtOnce) {
    const some = keys.slice(at, at + rowsAtOnce).map(encode);
    const sql = `SELECT name, value FROM state WHERE name IN (${placeholders(1, some.length)})`;
    rows.push(...(await query<{ name: string; value: string }>(sql, some)));
  }
  // Not by assignment: a key may be "__proto__".
  return Object.fromEntries(rows.map(({ name, value }) => [decode(name), decode(value)]));
}

/** Whether the keys that a request read still have the same values. */
export async function isUnchanged(
  database: Queryable,
  reads: Readonly<Record<string, string | null>>,
): Promise<boolean> {
  const expected = Object.entries(reads);
  const now = new Map(Object.entries(await stateGet(database, Object.keys(reads))));
  return expected.every(([key, value]) => (now.get(key) ?? null) === value);
}

/** @throws StateFull before anything is written */
export async function stateSet(
  database: Queryable,
  changes: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const entries = Object.entries(changes);
  const set = entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  const deleted = entries.flatMap(([key, value]) => (value === undefined ? [key] : []));
  for (const [key, value] of set) {
    const name = JSON.stringify(key.slice(0, 40));
    if (Buffer.byteLength(key) > longestKey) throw new StateFull(`the key ${name}… is longer than ${longestKey} bytes`);
    if (Buffer.byteLength(value) <= largestValue) continue;
    throw new StateFull(`the value of ${name} is larger than ${largestValue / 1024} KiB`);
  }
  for (const key of deleted) await database.query("DELETE FROM state WHERE name = $1", [encode(key)]);
  const before = await stateGet(
    database,
    set.map(([key]) => key),
  );
  const added = set.filter(([key]) => !Object.hasOwn(before, key)).length;
  if (added > 0 && (await countKeys(database)) + added > maxKeys) {
    throw new StateFull(`the state has ${maxKeys} keys, which is its limit`);
  }
  for (let at = 0; at < set.length; at += rowsAtOnce) {
    const rows = set.slice(at, at + rowsAtOnce);
    const values = rows.map((_, index) => `(${placeholders(1 + 2 * index, 2)})`).join(", ");
    const upsert = `INSERT INTO state(name, value) VALUES ${values}
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
    await database.query(
      upsert,
      rows.flatMap(([key, value]) => [encode(key), encode(value)]),
    );
  }
}

async function countKeys({ query }: Queryable): Promise<number> {
  return (await query<{ count: number }>("SELECT COUNT(*) AS count FROM state"))[0]?.count ?? 0;
}
