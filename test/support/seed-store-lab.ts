import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { PostgresTimes } from "../../components/seed-agent/program/database/postgres-times.ts";
import { openStore } from "../../components/seed-agent/program/store/open.ts";
import type { NewChange, Store } from "../../components/seed-agent/program/store/store.ts";
import { noPostgres, type Postgres, startPostgres } from "./postgres.ts";

export const submission: NewChange = {
  files: { "handle.ts": "export default 1;", "old.ts": null },
  summary: "Answer in verse",
  answers: "same",
  base: "v0",
  author: "owner",
  activation: "by a person",
};

/** A database of one test. */
export interface StoreLab {
  readonly url: string | undefined;
  readonly folder: string;
  /** Another node's store of this database. SQLite has one node: there it is always the same. */
  open(times?: Partial<PostgresTimes>): Promise<Store>;
}

/** Registers what starts and ends PostgreSQL for all tests of a group. Without one they are skipped. */
export function useDatabases(kind: Store["kind"]) {
  let postgres: Postgres | undefined;
  let missing: string | undefined;
  const cleanUp: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    if (kind !== "postgres") return;
    missing = await noPostgres();
    if (missing === undefined) postgres = await startPostgres();
  });
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });
  afterEach(async () => {
    for (const clean of cleanUp.splice(0).reverse()) await clean();
  });
  afterAll(async () => {
    await postgres?.close();
  });

  return {
    /** Only in a test of PostgreSQL. */
    get postgres(): Postgres {
      if (postgres === undefined) throw new Error("there is no PostgreSQL in this test");
      return postgres;
    },
    async lab(): Promise<StoreLab> {
      const folder = mkdtempSync(join(tmpdir(), "seed-store-"));
      cleanUp.push(() => rmSync(folder, { recursive: true }));
      const url = await postgres?.database();
      const connect = async (postgresTimes?: Partial<PostgresTimes>) => {
        const store = await openStore({ folder, databaseUrl: url, postgresTimes });
        cleanUp.push(() => store.close());
        return store;
      };
      let only: Promise<Store> | undefined;
      const open = (times?: Partial<PostgresTimes>) => {
        only = kind === "sqlite" ? (only ?? connect()) : connect(times);
        return only;
      };
      return { url, folder, open };
    },
  };
}
