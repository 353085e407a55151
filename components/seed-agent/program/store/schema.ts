import { type Database, type Queryable, StoreUnavailable } from "../database/database.ts";

type Kind = Queryable["kind"];

/**
 * Fields that queries search for are columns. The rest of a record is JSON, in `data`. JSON can hold any text (PostgreSQL's
 * TEXT can't hold NUL), and a release can add fields without a migration.
 *
 * A migration may only add tables and columns: nodes of the former release use the database during a deployment, and after
 * a rollback.
 */
const migrations: readonly ((kind: Kind) => readonly string[])[] = [
  (kind) => [
    "CREATE TABLE counters(name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO counters(name, value) VALUES ('version', 0), ('change', 0), ('audit', 0)",
    "CREATE TABLE fleet(one BIGINT PRIMARY KEY CHECK (one = 1), active TEXT NOT NULL)",
    `CREATE TABLE versions(
      number BIGINT PRIMARY KEY, change BIGINT NOT NULL UNIQUE, data TEXT NOT NULL, content TEXT NOT NULL)`,
    `CREATE TABLE changes(
      number BIGINT PRIMARY KEY, state TEXT NOT NULL, claimed_by TEXT, claimed_until BIGINT, data TEXT NOT NULL)`,
    "CREATE INDEX changes_by_state ON changes(state, number)",
    "CREATE TABLE audit(number BIGINT PRIMARY KEY, change BIGINT, data TEXT NOT NULL)",
    "CREATE INDEX audit_by_change ON audit(change, number)",
    ...immutable(kind, "audit"),
    "CREATE TABLE nodes(id TEXT PRIMARY KEY, desired TEXT, seen_at BIGINT NOT NULL, data TEXT NOT NULL)",
    `CREATE TABLE recordings(${serial(kind, "number")}, id TEXT NOT NULL UNIQUE, data TEXT NOT NULL)`,
    "CREATE TABLE state(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
  ],
];

function serial(kind: Kind, column: string): string {
  return kind === "sqlite"
    ? `${column} INTEGER PRIMARY KEY AUTOINCREMENT`
    : `${column} BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY`;
}

/** Triggers that reject every change and deletion of rows. */
function immutable(kind: Kind, table: string): readonly string[] {
  const message = `entries of ${table} are never changed or deleted`;
  if (kind === "sqlite") {
    // INSERT OR REPLACE deletes a row without firing the trigger for DELETE.
    const again = `INSERT ON ${table} WHEN NEW.number IN (SELECT number FROM ${table})`;
    return [`UPDATE ON ${table}`, `DELETE ON ${table}`, again].map(
      (event, index) =>
        `CREATE TRIGGER ${table}_immutable_${index} BEFORE ${event}
         BEGIN SELECT RAISE(ABORT, '${message}'); END`,
    );
  }
  return [
    `CREATE FUNCTION ${table}_immutable() RETURNS trigger LANGUAGE plpgsql AS
     $body$ BEGIN RAISE EXCEPTION '${message}'; END $body$`,
    `CREATE TRIGGER ${table}_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table}
     FOR EACH STATEMENT EXECUTE FUNCTION ${table}_immutable()`,
  ];
}

/** PostgreSQL's now() is the time when the transaction began. `SqliteDatabase` defines SQLite's `seed_now`. */
const clockOfPostgres = `
  CREATE OR REPLACE FUNCTION seed_now() RETURNS BIGINT LANGUAGE sql VOLATILE AS
  $body$ SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT) $body$`;

/** @throws StoreUnavailable, also if a later release has migrated the database */
export async function migrate(database: Database): Promise<void> {
  await database.transaction("schema", async ({ kind, query }) => {
    await query("CREATE TABLE IF NOT EXISTS migrations(number BIGINT PRIMARY KEY)");
    const rows = await query<{ number: number }>("SELECT number FROM migrations ORDER BY number DESC LIMIT 1");
    const done = rows[0]?.number ?? 0;
    if (done > migrations.length) {
      const counts = `the database has ${done} migrations, and this release knows only ${migrations.length}`;
      throw new StoreUnavailable(`${counts}: a later release has used it. Deploy that release again, or a later one.`);
    }
    if (kind === "postgres" && done === 0) await query(clockOfPostgres);
    for (const [index, statements] of migrations.entries()) {
      if (index < done) continue;
      for (const statement of statements(kind)) await query(statement);
      await query("INSERT INTO migrations(number) VALUES ($1)", [index + 1]);
    }
  });
}
