import * as z from "zod/mini";
import type { Queryable } from "../database/database.ts";
import { type NodeRecord, nodeRecord } from "../domain.ts";

const { desired: _desired, seenAt: _seenAt, ...rest } = nodeRecord.shape;
// A later release may have added fields.
const stored = z.object(rest);

export async function report(database: Queryable, node: Omit<NodeRecord, "seenAt" | "desired">): Promise<void> {
  const data = JSON.stringify(stored.parse(node));
  const [before] = await database.query<{ data: string }>("SELECT data FROM nodes WHERE id = $1", [node.id]);
  await database.query(
    `INSERT INTO nodes(id, seen_at, data) VALUES ($1, seed_now(), $2)
     ON CONFLICT (id) DO UPDATE SET seen_at = seed_now(), data = $2`,
    [node.id, data],
  );
  // Nobody waits for a report without changes: it only shows that the node is alive.
  if (before?.data !== data) await database.notify();
}

export async function listNodes({ query }: Queryable, withinMilliseconds: number): Promise<readonly NodeRecord[]> {
  const rows = await query<{ desired: string | null; seen_at: number; data: string }>(
    "SELECT desired, seen_at, data FROM nodes WHERE seen_at >= seed_now() - $1",
    [withinMilliseconds],
  );
  return rows
    .map(({ desired, seen_at, data }) => ({
      ...stored.parse(JSON.parse(data)),
      ...(desired === null ? {} : { desired }),
      seenAt: new Date(seen_at).toISOString(),
    }))
    .toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

export async function setDesired(database: Queryable, node: string, version: string | undefined): Promise<boolean> {
  const sql = "UPDATE nodes SET desired = $2 WHERE id = $1 RETURNING id";
  const written = await database.query(sql, [node, version ?? null]);
  if (written.length > 0) await database.notify();
  return written.length > 0;
}
