import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Queryable } from "../../../../components/seed-agent/program/database/database.ts";
import { SqliteDatabase } from "../../../../components/seed-agent/program/database/sqlite.ts";

let folder = "";
let database: SqliteDatabase;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sqlite-"));
  database = new SqliteDatabase({ file: join(folder, "data", "store.sqlite") });
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true });
});

/** 2: each commit is on disk; 1: a loss of power may take it along. */
async function synchronous({ query }: Queryable): Promise<number | undefined> {
  return (await query<{ synchronous: number }>("PRAGMA synchronous"))[0]?.synchronous;
}

it("syncs every commit except those of recordings, also after a failed one", async () => {
  expect(await synchronous(database)).toBe(2);
  expect(await database.transaction("queue", synchronous)).toBe(2);
  expect(await database.transaction("recordings", synchronous)).toBe(1);
  expect(await synchronous(database)).toBe(2);
  const failing = database.transaction("recordings", () => Promise.reject(new Error("it failed")));
  await expect(failing).rejects.toThrow("it failed");
  expect(await database.transaction("state", synchronous)).toBe(2);
});

it("rolls a failed transaction back, and lets no other query into a transaction", async () => {
  await database.query("CREATE TABLE numbers(number BIGINT)");
  const failing = database.transaction("queue", async ({ query }) => {
    await query("INSERT INTO numbers VALUES ($1)", [1]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error("it failed");
  });
  const other = database.query("INSERT INTO numbers VALUES ($1)", [2]);
  await expect(failing).rejects.toThrow("it failed");
  await other;
  expect(await database.query("SELECT number FROM numbers")).toEqual([{ number: 2 }]);
});

it("creates files that only their owner can read", async () => {
  await database.query("CREATE TABLE numbers(number BIGINT)");
  const modes = ["store.sqlite", "store.sqlite-wal"].map((name) => statSync(join(folder, "data", name)).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600]);
});
