import { join } from "node:path";
import { PostgresDatabase } from "../database/postgres.ts";
import type { PostgresTimes } from "../database/postgres-times.ts";
import { SqliteDatabase } from "../database/sqlite.ts";
import { SqlStore } from "./sql-store.ts";
import type { Store } from "./store.ts";

export interface StoreOptions {
  /** PostgreSQL's URL. Without it, SQLite in `folder` is used. */
  readonly databaseUrl?: string | undefined;
  /** Created when it is first used. */
  readonly folder: string;
  /** For tests. */
  readonly postgresTimes?: Partial<PostgresTimes> | undefined;
}

/**
 * The database need not be reachable. Until it is, the store's methods throw StoreUnavailable.
 *
 * @throws if `databaseUrl` is not valid
 */
export async function openStore({ databaseUrl, folder, postgresTimes = {} }: StoreOptions): Promise<Store> {
  if (databaseUrl === undefined) return new SqlStore(new SqliteDatabase({ file: join(folder, "store.sqlite") }));
  if (!/^postgres(ql)?:$/.test(URL.parse(databaseUrl)?.protocol ?? "")) {
    throw new Error("DATABASE_URL is not a URL of the form postgres://user:password@host:5432/database");
  }
  return new SqlStore(new PostgresDatabase({ url: databaseUrl, times: postgresTimes }));
}
