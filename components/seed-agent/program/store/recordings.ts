import * as z from "zod/mini";
import type { Queryable } from "../database/database.ts";
import { type Recording, recording } from "../domain.ts";

// A later release may have added fields.
const stored = z.object(recording.shape);

export async function record({ query }: Queryable, given: Recording, keep: number): Promise<void> {
  if (keep <= 0) return;
  const data = JSON.stringify(stored.parse(given));
  await query("INSERT INTO recordings(id, data) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", [given.id, data]);
  await query(
    "DELETE FROM recordings WHERE number <= (SELECT number FROM recordings ORDER BY number DESC LIMIT 1 OFFSET $1)",
    [keep],
  );
}

export async function listRecordings({ query }: Queryable, limit: number): Promise<readonly Recording[]> {
  const rows = await query<{ data: string }>("SELECT data FROM recordings ORDER BY number DESC LIMIT $1", [limit]);
  return rows.map(({ data }) => stored.parse(JSON.parse(data)));
}
