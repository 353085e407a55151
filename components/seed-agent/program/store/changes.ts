/**
 * The queue of changes is a table. No queue library works with both databases: pg-boss and graphile-worker need PostgreSQL,
 * and those for SQLite work on one node. The queue also has to share a transaction with the active version. It needs little:
 * one worker in the whole fleet at a time, a lease, and compare-and-set.
 */
import * as z from "zod/mini";
import type { Queryable } from "../database/database.ts";
import { type Change, type ChangeState, change, claimableStates, endStates } from "../domain.ts";
import { isoNow, nextNumber, numberOf, placeholders } from "./ids.ts";
import type { ChangePatch, NewChange } from "./store.ts";
import { setActiveVersion } from "./versions.ts";

// A later release may have added fields.
const stored = z.object(change.shape);

interface Row {
  readonly number: number;
  readonly claimed_by: string | null;
  readonly data: string;
}

function fromRow({ data }: Pick<Row, "data">): Change {
  return stored.parse(JSON.parse(data));
}

export async function submit(database: Queryable, submission: NewChange): Promise<Change> {
  const number = await nextNumber(database, "change");
  const at = await isoNow(database);
  const state = submission.version === undefined ? "queued" : "approved";
  const submitted: Change = { ...submission, id: `c${number}`, state, submittedAt: at, updatedAt: at, attempts: 0 };
  const data = JSON.stringify(stored.parse(submitted));
  await database.query("INSERT INTO changes(number, state, data) VALUES ($1, $2, $3)", [number, state, data]);
  await database.notify();
  return fromRow({ data });
}

export async function getChange(database: Queryable, id: string): Promise<Change | undefined> {
  const row = await findRow(database, id);
  return row === undefined ? undefined : fromRow(row);
}

export async function listChanges(
  { query }: Queryable,
  { states, limit }: { readonly states?: readonly ChangeState[]; readonly limit: number },
): Promise<readonly Change[]> {
  const wanted = states ?? [];
  if (states !== undefined && wanted.length === 0) return [];
  const where = states === undefined ? "" : `WHERE state IN (${placeholders(2, wanted.length)})`;
  const sql = `SELECT data FROM changes ${where} ORDER BY number DESC LIMIT $1`;
  return (await query<Row>(sql, [limit, ...wanted])).map(fromRow);
}

export async function countChanges({ query }: Queryable, states: readonly ChangeState[]): Promise<number> {
  if (states.length === 0) return 0;
  const sql = `SELECT COUNT(*) AS count FROM changes WHERE state IN (${placeholders(1, states.length)})`;
  return (await query<{ count: number }>(sql, states))[0]?.count ?? 0;
}

export async function claim(
  database: Queryable,
  node: string,
  leaseMilliseconds: number,
): Promise<{ readonly change: Change; readonly isChanged: boolean } | undefined> {
  const { query } = database;
  // A node has one worker. A claim of its own is left from before it stopped or was killed.
  const others = "SELECT 1 FROM changes WHERE claimed_by <> $1 AND claimed_until > seed_now() LIMIT 1";
  if ((await query(others, [node])).length > 0) return undefined;
  const states = placeholders(1, claimableStates.length);
  // Approved changes come first: a rollback must not wait for the checks of other changes.
  const rank = "CASE state WHEN 'rolling-out' THEN 0 WHEN 'approved' THEN 1 WHEN 'checking' THEN 2 ELSE 3 END";
  const first = `SELECT number, data FROM changes WHERE state IN (${states}) ORDER BY ${rank}, number LIMIT 1`;
  const [row] = await query<Row>(first, claimableStates);
  if (row === undefined) return undefined;
  // A worker that outlived its lease must not be able to renew it beside this one.
  await query("UPDATE changes SET claimed_by = NULL WHERE claimed_by IS NOT NULL");
  const before = fromRow(row);
  const claimed = { ...before, state: begun[before.state] ?? before.state, attempts: before.attempts + 1 };
  await query("UPDATE changes SET claimed_by = $2, claimed_until = seed_now() + $3 WHERE number = $1", [
    row.number,
    node,
    leaseMilliseconds,
  ]);
  return { change: await write(database, row.number, claimed), isChanged: claimed.state !== before.state };
}

const begun: Partial<Record<ChangeState, ChangeState>> = { queued: "checking", approved: "rolling-out" };

export async function renewClaim(
  { query }: Queryable,
  id: string,
  node: string,
  leaseMilliseconds: number,
): Promise<boolean> {
  const renewed = await query(
    "UPDATE changes SET claimed_until = seed_now() + $3 WHERE number = $1 AND claimed_by = $2 RETURNING number",
    [numberOf("c", id) ?? 0, node, leaseMilliseconds],
  );
  return renewed.length > 0;
}

/** Whether the node still has the claim. After its lease has expired, it keeps the claim until another node claims. */
export async function hasClaim(database: Queryable, id: string, node: string): Promise<boolean> {
  return (await findRow(database, id))?.claimed_by === node;
}

export async function updateChange(
  database: Queryable,
  id: string,
  from: readonly ChangeState[],
  { claimedBy, activeVersion, ...patch }: ChangePatch,
): Promise<Change | undefined> {
  const row = await findRow(database, id);
  if (row === undefined || (claimedBy !== undefined && row.claimed_by !== claimedBy)) return undefined;
  const before = fromRow(row);
  if (!from.includes(before.state)) return undefined;
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  const updated = await write(database, row.number, { ...before, ...given });
  const { state } = updated;
  const active = state === "active" && before.state !== "active" ? (updated.version ?? null) : activeVersion;
  if (active === null) throw new Error(`${id} has no version, so it can't become active`);
  if (active !== undefined) await setActiveVersion(database, active);
  const isEnd = endStates.includes(state);
  if (isEnd || state === "waiting" || state === "approved") {
    await database.query("UPDATE changes SET claimed_by = NULL WHERE number = $1", [row.number]);
  }
  if (isEnd && before.state === "rolling-out") await database.query("UPDATE nodes SET desired = NULL");
  await database.notify();
  return updated;
}

async function findRow({ query }: Queryable, id: string): Promise<Row | undefined> {
  const number = numberOf("c", id);
  if (number === undefined) return undefined;
  return (await query<Row>("SELECT number, claimed_by, data FROM changes WHERE number = $1", [number]))[0];
}

async function write(database: Queryable, number: number, changed: Change): Promise<Change> {
  const data = JSON.stringify(stored.parse({ ...changed, updatedAt: await isoNow(database) }));
  const parameters = [number, changed.state, data];
  await database.query("UPDATE changes SET state = $2, data = $3 WHERE number = $1", parameters);
  return fromRow({ data });
}
