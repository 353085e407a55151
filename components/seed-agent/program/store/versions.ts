import * as z from "zod/mini";
import type { Queryable } from "../database/database.ts";
import { endStates, type Version, version } from "../domain.ts";
import { isoNow, nextNumber, numberOf, placeholders } from "./ids.ts";
import type { VersionSummary } from "./store.ts";

const { sources, bundle, testBundle, ...rest } = version.shape;
// A later release may have added fields.
const content = z.object({ sources, bundle, testBundle });
const summary = z.object(rest);

interface Row {
  readonly data: string;
  readonly content: string;
}

function fromRow(row: Row): Version {
  return { ...summary.parse(JSON.parse(row.data)), ...content.parse(JSON.parse(row.content)) };
}

export async function addVersion(
  database: Queryable,
  given: Omit<Version, "id" | "createdAt">,
  change: string,
): Promise<Version> {
  const ofChange = numberOf("c", change);
  if (ofChange === undefined) throw new Error(`${JSON.stringify(change)} is not the id of a change`);
  const [before] = await database.query<Row>("SELECT data, content FROM versions WHERE change = $1", [ofChange]);
  if (before !== undefined) return fromRow(before);
  const number = await nextNumber(database, "version");
  const added: Version = { ...given, id: `v${number}`, createdAt: await isoNow(database) };
  const parameters = [number, ofChange, JSON.stringify(summary.parse(added)), JSON.stringify(content.parse(added))];
  await database.query("INSERT INTO versions(number, change, data, content) VALUES ($1, $2, $3, $4)", parameters);
  return added;
}

export async function getVersion({ query }: Queryable, id: string): Promise<Version | undefined> {
  const number = numberOf("v", id);
  if (number === undefined) return undefined;
  const [row] = await query<Row>("SELECT data, content FROM versions WHERE number = $1", [number]);
  return row === undefined ? undefined : fromRow(row);
}

export async function listVersions({ query }: Queryable, limit: number): Promise<readonly VersionSummary[]> {
  const rows = await query<Pick<Row, "data">>("SELECT data FROM versions ORDER BY number DESC LIMIT $1", [limit]);
  return rows.map(({ data }) => summary.parse(JSON.parse(data)));
}

export async function activeVersion({ query }: Queryable): Promise<string | undefined> {
  return (await query<{ active: string }>("SELECT active FROM fleet"))[0]?.active;
}

export async function setActiveVersion({ query }: Queryable, id: string): Promise<void> {
  await query("INSERT INTO fleet(one, active) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET active = $1", [id]);
}

/** A node that has not reported for this long is forgotten, and its versions may be deleted. */
const nodeLifetimeMilliseconds = 7 * 24 * 3_600_000;

export async function pruneVersions(database: Queryable, keep: number): Promise<readonly string[]> {
  const all = await listVersions(database, Number.MAX_SAFE_INTEGER);
  const kept = new Set(all.slice(0, keep).map(({ id }) => id));
  for (const id of await referenced(database)) kept.add(id);
  const parents = new Map(all.map(({ id, parent }) => [id, parent]));
  let ancestor = await activeVersion(database);
  for (let generation = 0; generation <= keep && ancestor !== undefined; generation += 1) {
    kept.add(ancestor);
    ancestor = parents.get(ancestor);
  }
  const deleted = all.map(({ id }) => id).filter((id) => !kept.has(id));
  for (const id of deleted) await database.query("DELETE FROM versions WHERE number = $1", [numberOf("v", id) ?? 0]);
  return deleted;
}

/** The versions that nodes run or should run, and those that unfinished changes need. */
async function referenced({ query }: Queryable): Promise<readonly string[]> {
  await query("DELETE FROM nodes WHERE seen_at < seed_now() - $1", [nodeLifetimeMilliseconds]);
  const nodes = await query<{ desired: string | null; data: string }>("SELECT desired, data FROM nodes");
  const ended = placeholders(1, endStates.length);
  const changes = await query<{ data: string }>(`SELECT data FROM changes WHERE state NOT IN (${ended})`, endStates);
  const ofNode = z.object({ active: z.string() });
  const ofChange = z.object({ base: z.string(), version: z.optional(z.string()) });
  return [
    ...nodes.flatMap(({ desired, data }) => [desired, ofNode.parse(JSON.parse(data)).active]),
    ...changes.map(({ data }) => ofChange.parse(JSON.parse(data))).flatMap(({ base, version: id }) => [base, id]),
  ].filter((id) => id !== undefined && id !== null);
}
