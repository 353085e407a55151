import { join } from "node:path";
import { SqliteDatabase } from "../database/sqlite.ts";
import { SqlStore } from "./sql-store.ts";
import type { Store } from "./store.ts";

export interface StoreOptions {
  /** PostgreSQL; else SQLite, in `folder`. */
  readonly databaseUrl?: string | undefined;
  /** Is created with its first use. */
  readonly folder: string;
}

/**
 * The database need not answer: then the store's methods throw StoreUnavailable, until it does.
 *
 * @throws if `databaseUrl` is not valid
 */
export async function openStore({ databaseUrl, folder }: StoreOptions): Promise<Store> {
  if (databaseUrl !== undefined) throw new Error("PostgreSQL is not supported yet");
  return new SqlStore(new SqliteDatabase({ file: join(folder, "store.sqlite") }));
}
