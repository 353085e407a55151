import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import * as z from "zod/mini";
import { type Outcome, outcome, type RunEvent, runEvent } from "../runner-protocol.ts";

/** The runner's record of a session, so that it can reopen the sandbox after a restart. */
const sessionRecord = z.object({
  id: z.string(),
  changeling: z.string(),
  /** The spec that it was started with, as JSON. Later changes of the changeling don't affect it. */
  spec: z.string(),
  branch: z.nullable(z.string()),
  sandbox: z.string(),
  snapshot: z.nullable(z.string()),
  /** The runtime's last state, as JSON. */
  state: z.nullable(z.string()),
  /** When the sandbox's time is over; ISO 8601, UTC. */
  expires_at: z.string(),
  /** When the sandbox was last used; ISO 8601, UTC. Empty until it has started. */
  used_at: z.string(),
  /** 1 if only `snapshot` has its files. The sandbox has ended, or is about to end. */
  is_asleep: z.number(),
  /** The value of `is_asleep` that the session knows. */
  reported_asleep: z.number(),
});
export type SessionRecord = z.output<typeof sessionRecord>;

const runRow = z.object({ boot: z.string(), kind: z.string(), outcome: z.nullable(z.string()), events: z.string() });

/** A run that this process of the runner, or an earlier one, began. */
export interface RunRecord {
  readonly isOfThisBoot: boolean;
  /** undefined if it has not ended */
  readonly outcome: Outcome | undefined;
  readonly events: readonly RunEvent[];
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS epoch(one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS runs(
    key TEXT PRIMARY KEY, session TEXT NOT NULL, kind TEXT NOT NULL, boot TEXT NOT NULL, began_at TEXT NOT NULL,
    outcome TEXT, events TEXT NOT NULL DEFAULT '[]', taken INTEGER NOT NULL DEFAULT 0);
  CREATE INDEX IF NOT EXISTS open_runs ON runs(session) WHERE taken = 0;
  CREATE TABLE IF NOT EXISTS sessions(
    id TEXT PRIMARY KEY, changeling TEXT NOT NULL, spec TEXT NOT NULL, branch TEXT, sandbox TEXT NOT NULL, snapshot TEXT,
    state TEXT, expires_at TEXT NOT NULL);
`;
/** Also added to databases of earlier versions. */
const addedColumns = {
  used_at: "TEXT NOT NULL DEFAULT ''",
  is_asleep: "INTEGER NOT NULL DEFAULT 0",
  reported_asleep: "INTEGER NOT NULL DEFAULT 0",
} as const;

export function recordsPath(folder: string): string {
  return join(folder, "runner.sqlite");
}

export interface RecordedSessions {
  /** The ids of the sessions whose sandbox or snapshot the runner manages. */
  readonly withSandbox: ReadonlySet<string>;
  /** The ids of all sessions that this runner has started, including those that have ended. */
  readonly started: ReadonlySet<string>;
  /** The sessions with a snapshot. */
  readonly saved: readonly SavedSession[];
}

const savedSession = z.object({
  id: z.string(),
  changeling: z.string(),
  /** The sandbox's provider. */
  provider: z.string(),
  snapshot: z.string(),
});
export type SavedSession = z.output<typeof savedSession>;

/** Reads the records from another process than the runner's. @param folder the session service's */
export function recordedSessions(folder: string): RecordedSessions {
  const path = recordsPath(folder);
  if (!existsSync(path)) return { withSandbox: new Set(), started: new Set(), saved: [] };
  const sqlite = process.getBuiltinModule("node:sqlite");
  const database = new sqlite.DatabaseSync(path, { readOnly: true });
  try {
    const ids = (query: string) =>
      new Set(
        database
          .prepare(query)
          .all()
          .map((row) => z.object({ id: z.string() }).parse(row).id),
      );
    return {
      withSandbox: ids("SELECT id FROM sessions"),
      started: ids("SELECT session AS id FROM runs WHERE kind = 'start'"),
      saved: database
        .prepare(
          `SELECT id, changeling, json_extract(spec, '$.provider') AS provider, snapshot FROM sessions
           WHERE snapshot IS NOT NULL`,
        )
        .all()
        .map((row) => savedSession.parse(row)),
    };
  } finally {
    database.close();
  }
}

/** The runner's database: which runs it began and how they ended, and the sandbox of each session. */
export class Records {
  /** Identifies this database. Another one does not know which runs began. */
  readonly epoch: string;
  readonly #database: DatabaseSync;
  readonly #boot = randomUUID();

  constructor(path: string) {
    const sqlite = process.getBuiltinModule("node:sqlite");
    this.#database = new sqlite.DatabaseSync(path);
    this.#database.exec(schema);
    this.#addColumns();
    this.#run("INSERT INTO epoch(one, id) VALUES(1, ?) ON CONFLICT DO NOTHING", randomUUID());
    this.epoch = this.#rows("SELECT id FROM epoch", z.object({ id: z.string() }))[0]?.id ?? "";
  }

  close(): void {
    this.#database.close();
  }

  run(key: string): RunRecord | undefined {
    const [row] = this.#rows("SELECT boot, kind, outcome, events FROM runs WHERE key = ?", runRow, key);
    return (
      row && {
        isOfThisBoot: row.boot === this.#boot,
        outcome: row.outcome === null ? undefined : outcome.parse(JSON.parse(row.outcome)),
        events: z.array(runEvent).parse(JSON.parse(row.events)),
      }
    );
  }

  /**
   * Writes to disk before the run begins, so that it never runs twice, even after a power failure. Other writes that are
   * lost in a power failure make a run `interrupted`.
   */
  beginRun(key: string, session: string, kind: string): void {
    this.#durably(
      `INSERT INTO runs(key, session, kind, boot, began_at) VALUES(?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET boot = excluded.boot, began_at = excluded.began_at`,
      ...[key, session, kind, this.#boot, new Date().toISOString()],
    );
  }

  endRun(key: string, ended: Outcome, events: readonly RunEvent[]): void {
    const values = [JSON.stringify(ended), JSON.stringify(events), key];
    this.#run("UPDATE runs SET outcome = ?, events = ? WHERE key = ?", ...values);
  }

  /** The session has stored the outcome. The key stays known. */
  takeRun(key: string): void {
    this.#run("UPDATE runs SET taken = 1, events = '[]' WHERE key = ? AND outcome IS NOT NULL", key);
  }

  /** The sessions with a run whose outcome they have not stored. */
  sessionsWithRuns(): string[] {
    const rows = this.#rows("SELECT DISTINCT session FROM runs WHERE taken = 0", z.object({ session: z.string() }));
    return rows.map(({ session }) => session);
  }

  saveSession(record: SessionRecord): void {
    const columns = Object.keys(record);
    const placeholders = columns.map(() => "?").join(", ");
    this.#run(
      `INSERT OR REPLACE INTO sessions(${columns.join(", ")}) VALUES(${placeholders})`,
      ...Object.values(record),
    );
  }

  session(id: string): SessionRecord | undefined {
    return this.#rows("SELECT * FROM sessions WHERE id = ?", sessionRecord, id)[0];
  }

  /** The sessions whose sandboxes' time is over. */
  expired(now: Date): string[] {
    const query = "SELECT id FROM sessions WHERE is_asleep = 0 AND used_at <> '' AND expires_at < ?";
    return this.#rows(query, z.object({ id: z.string() }), now.toISOString()).map(({ id }) => id);
  }

  /** The sessions whose sandboxes were not used for longer than their changeling's `sleep_after_seconds`. */
  idle(now: Date): string[] {
    const query = `SELECT id FROM sessions WHERE is_asleep = 0 AND used_at <> '' AND
      unixepoch(used_at) + json_extract(spec, '$.sleepAfterSeconds') < unixepoch(?)`;
    return this.#rows(query, z.object({ id: z.string() }), now.toISOString()).map(({ id }) => id);
  }

  /** The sessions that have not been informed that their sandbox fell asleep or woke up. */
  unreported(): SessionRecord[] {
    return this.#rows("SELECT * FROM sessions WHERE is_asleep <> reported_asleep", sessionRecord);
  }

  saveReported(id: string, isAsleep: number): void {
    this.#run("UPDATE sessions SET reported_asleep = ? WHERE id = ?", isAsleep, id);
  }

  /** The sleeping sessions whose sandbox may not have ended yet. */
  halfAsleep(): string[] {
    const query = "SELECT id FROM sessions WHERE is_asleep = 1 AND sandbox <> ''";
    return this.#rows(query, z.object({ id: z.string() })).map(({ id }) => id);
  }

  saveUse(id: string, now: Date): void {
    this.#run("UPDATE sessions SET used_at = ? WHERE id = ?", now.toISOString(), id);
  }

  postponeExpiry(id: string, until: Date): void {
    this.#run("UPDATE sessions SET expires_at = ? WHERE id = ?", until.toISOString(), id);
  }

  /** Writes to disk before the sandbox is ended: from now on, only the snapshot has its files. */
  fallAsleep(id: string, snapshot: string): void {
    this.#durably("UPDATE sessions SET snapshot = ?, is_asleep = 1 WHERE id = ?", snapshot, id);
  }

  /** Writes to disk before the sandbox is created, so that a killed service can't leave a second one. */
  wakeUp(id: string, sandbox: string, expires: Date): void {
    const query = "UPDATE sessions SET sandbox = ?, expires_at = ?, is_asleep = 0 WHERE id = ?";
    this.#durably(query, sandbox, expires.toISOString(), id);
  }

  saveState(id: string, state: unknown): void {
    this.#run("UPDATE sessions SET state = ? WHERE id = ?", JSON.stringify(state) ?? null, id);
  }

  /** The sandbox of a sleeping session has ended. */
  endSandbox(id: string, sandbox: string): void {
    this.#run("UPDATE sessions SET sandbox = '' WHERE id = ? AND sandbox = ?", id, sandbox);
  }

  saveSnapshot(id: string, snapshot: string): void {
    this.#run("UPDATE sessions SET snapshot = ? WHERE id = ?", snapshot, id);
  }

  /** Keeps the keys of its runs, so that none is executed again. */
  removeSession(id: string): void {
    this.#run("DELETE FROM sessions WHERE id = ?", id);
    this.#run("UPDATE runs SET taken = 1, events = '[]' WHERE session = ?", id);
  }

  /** The write survives a power failure after this has returned. */
  #durably(query: string, ...values: SQLInputValue[]): void {
    this.#database.exec("PRAGMA synchronous = FULL");
    try {
      this.#run(query, ...values);
    } finally {
      this.#database.exec("PRAGMA synchronous = NORMAL");
    }
  }

  #addColumns(): void {
    const columns = this.#rows("PRAGMA table_info(sessions)", z.object({ name: z.string() }));
    const missing = Object.entries(addedColumns).filter(([name]) => !columns.some((column) => column.name === name));
    if (missing.length === 0) return;
    const added = missing.map(([name, type]) => `ALTER TABLE sessions ADD COLUMN ${name} ${type};`).join("\n");
    this.#database.exec(`BEGIN; ${added} UPDATE sessions SET used_at = strftime('%FT%TZ'); COMMIT;`);
  }

  #run(query: string, ...values: SQLInputValue[]): void {
    this.#database.prepare(query).run(...values);
  }

  #rows<Row>(query: string, schema: z.ZodMiniType<Row>, ...values: SQLInputValue[]): Row[] {
    return this.#database
      .prepare(query)
      .all(...values)
      .map((row) => schema.parse(row));
  }
}
