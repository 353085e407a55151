import type { DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import {
  type EventBody,
  eventBody,
  failure,
  limits,
  message,
  messageStates,
  type Role,
  roles,
  type SessionEvent,
  sessionStatuses,
} from "../protocol.ts";
import type { Entry } from "./queue.ts";

/** How much of a message's current attempt is stored. */
const progress = z.object({
  ...{ message: z.number(), attempt: z.number() },
  /** The number of the run's events. */
  seen: z.number(),
  /** The length of its text. */
  length: z.number(),
  costUsd: z.number(),
});
export type Progress = z.output<typeof progress>;

/** A session's data that are neither messages nor events. */
const sessionRow = z.object({
  id: z.string(),
  changeling: z.string(),
  branch: z.optional(z.string()),
  title: z.optional(z.string()),
  createdAt: z.string(),
  updatedAt: z.string(),
  status: z.enum(sessionStatuses),
  reason: z.optional(z.string()),
  isReady: z.boolean(),
  /** How many events of the sandbox's start are stored. */
  startSeen: z.number(),
  snapshot: z.optional(z.string()),
  isAsleep: z._default(z.boolean(), false),
  limits,
  messages: z.number(),
  places: z.number(),
  used: z.object({ minutes: z.number(), costUsd: z.number() }),
  /** It is in this row, because this row is written with each event anyway. */
  progress: z.optional(progress),
  /** Identifies the runner's records that contain its runs. */
  epoch: z.optional(z.string()),
  /** Its sandbox is terminated too. */
  isCleaned: z.boolean(),
  /** The directory knows its status, and whether it sleeps. */
  isReported: z.boolean(),
});
export type SessionRow = z.output<typeof sessionRow>;

type TextEvent = EventBody & { readonly type: "text" };

const entryRow = z.object({
  ...{ id: z.number(), place: z.number(), author: z.string(), text: z.string(), state: z.enum(messageStates) },
  ...{
    attempt: z.number(),
    queued_at: z.string(),
    started_at: z.nullable(z.string()),
    ended_at: z.nullable(z.string()),
  },
  ...{ failure: z.nullable(z.string()), cost: z.number() },
});
const earlierProgressRow = z.object({ seen: z.number(), length: z.number(), run_cost: z.number() });
const eventRow = z.object({ cursor: z.number(), at: z.string(), body: z.string() });
const personRow = z.object({ name: z.string(), role: z.enum(roles), hash: z.string() });
export type PersonRow = z.output<typeof personRow>;

/** How many characters of events are read at once. They are in memory until a connection accepts them. */
const readLength = 200_000;

/** Text events of one attempt are joined up to this length, so that a long answer needs few rows. */
const joinedLength = 16_000;

/** A session's SQLite database. */
export class Store {
  readonly #sql: DurableObjectState["storage"]["sql"];
  /** The last event, if it was appended since the object was loaded. With its body, if more text may be joined to it. */
  #last: { readonly cursor: number; readonly text: TextEvent | undefined } | undefined;

  constructor({ storage }: DurableObjectState) {
    this.#sql = storage.sql;
  }

  create(): void {
    for (const statement of schema) this.#sql.exec(statement);
  }

  exists(): boolean {
    return this.#rows("SELECT 1 FROM sqlite_master WHERE name = 'session'", z.unknown()).length > 0;
  }

  session(): SessionRow | undefined {
    const [row] = this.#rows("SELECT data FROM session", z.object({ data: z.string() }));
    return row && sessionRow.parse(JSON.parse(row.data));
  }

  saveSession(row: SessionRow): void {
    this.#sql.exec(
      "INSERT INTO session(one, data) VALUES(1, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
      json(row),
    );
  }

  open(): Entry[] {
    const query = "SELECT * FROM messages WHERE state IN ('queued', 'processing') ORDER BY place";
    return this.#rows(query, entryRow).map(entryOf);
  }

  entry(id: number): Entry | undefined {
    return this.#rows("SELECT * FROM messages WHERE id = ?", entryRow, id).map(entryOf)[0];
  }

  entries(after: number, limit: number): Entry[] {
    return this.#rows("SELECT * FROM messages WHERE id > ? ORDER BY id LIMIT ?", entryRow, after, limit).map(entryOf);
  }

  entryOfKey(key: string): Entry | undefined {
    return this.#rows("SELECT * FROM messages WHERE key = ?", entryRow, key).map(entryOf)[0];
  }

  /** @param key the idempotency key of a new message */
  saveEntry(entry: Entry, key?: string): void {
    const { id, place, author, text, state, attempt, queuedAt, startedAt = null, endedAt = null, costUsd } = entry;
    const failed = entry.failure === undefined ? null : json(entry.failure);
    if (key !== undefined) {
      const columns = "id, place, author, text, state, attempt, queued_at, cost, key";
      const values = [id, place, author, text, state, attempt, queuedAt, costUsd, key];
      this.#sql.exec(`INSERT INTO messages(${columns}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)`, ...values);
      return;
    }
    this.#sql.exec(
      `UPDATE messages SET place = ?, state = ?, attempt = ?, queued_at = ?, started_at = ?, ended_at = ?, failure = ?,
       cost = ? WHERE id = ?`,
      ...[place, state, attempt, queuedAt, startedAt, endedAt, failed, costUsd, id],
    );
  }

  /** The progress of a message that an earlier version began, which stored it with the message. */
  earlierProgress({ id, attempt }: Pick<Entry, "id" | "attempt">): Progress | undefined {
    const hasColumns = "SELECT 1 FROM sqlite_master WHERE name = 'messages' AND sql LIKE '%run_cost%'";
    if (this.#rows(hasColumns, z.unknown()).length === 0) return undefined;
    const query = "SELECT seen, length, run_cost FROM messages WHERE id = ?";
    const [row] = this.#rows(query, earlierProgressRow, id);
    return row && { message: id, attempt, seen: row.seen, length: row.length, costUsd: row.run_cost };
  }

  /** Appends an event. Text that continues the last event is joined to it, under a new cursor. */
  append(at: string, body: EventBody): void {
    const last = this.#last;
    const before = last?.cursor ?? this.cursor();
    const cursor = before + 1;
    const joined = joinedText(last?.text, body);
    if (joined === undefined) {
      this.#sql.exec("INSERT INTO events(cursor, at, body) VALUES(?, ?, ?)", cursor, at, json(body));
    } else {
      this.#sql.exec(
        "UPDATE events SET cursor = ?, at = ?, body = ? WHERE cursor = ?",
        cursor,
        at,
        json(joined),
        before,
      );
    }
    this.#last = { cursor, text: joined ?? (body.type === "text" ? body : undefined) };
  }

  /** A transaction was rolled back, so the last event may be another. */
  forgetLast(): void {
    this.#last = undefined;
  }

  events(after: number, limit: number): SessionEvent[] {
    const query = "SELECT cursor, at, body FROM events WHERE cursor > ? ORDER BY cursor LIMIT ?";
    return this.#rows(query, eventRow, after, limit).map(({ cursor, at, body }) => ({
      ...{ cursor, at },
      ...eventBody.parse(JSON.parse(body)),
    }));
  }

  /** The next events after a cursor, up to a total length: at least one, if there is any. */
  someEvents(after: number): SessionEvent[] {
    const query = "SELECT cursor, at, body FROM events WHERE cursor > ? ORDER BY cursor LIMIT 100";
    const events: SessionEvent[] = [];
    let length = 0;
    for (const row of this.#sql.exec(query, after)) {
      const { cursor, at, body } = eventRow.parse(row);
      events.push({ cursor, at, ...eventBody.parse(JSON.parse(body)) });
      length += body.length;
      if (length > readLength) break;
    }
    return events;
  }

  cursor(): number {
    const query = "SELECT coalesce(max(cursor), 0) AS cursor FROM events";
    return this.#rows(query, z.object({ cursor: z.number() }))[0]?.cursor ?? 0;
  }

  people(): PersonRow[] {
    return this.#rows("SELECT name, role, hash FROM people ORDER BY name", personRow);
  }

  savePerson({ name, role, hash }: { name: string; role: Role; hash: string }): void {
    this.#sql.exec("INSERT OR REPLACE INTO people(name, role, hash) VALUES(?, ?, ?)", name, role, hash);
  }

  removePerson(name: string): void {
    this.#sql.exec("DELETE FROM people WHERE name = ?", name);
  }

  #rows<Row>(query: string, schema: z.ZodMiniType<Row>, ...values: (string | number)[]): Row[] {
    return this.#sql
      .exec(query, ...values)
      .toArray()
      .map((row) => schema.parse(row));
  }
}

const schema = [
  "CREATE TABLE session(one INTEGER PRIMARY KEY CHECK (one = 1), data TEXT NOT NULL)",
  `CREATE TABLE messages(
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, state TEXT NOT NULL,
    attempt INTEGER NOT NULL, queued_at TEXT NOT NULL, started_at TEXT, ended_at TEXT, failure TEXT,
    cost REAL NOT NULL, key TEXT NOT NULL UNIQUE)`,
  "CREATE INDEX open_messages ON messages(place) WHERE state IN ('queued', 'processing')",
  // Databases of earlier versions have AUTOINCREMENT here, which writes one more page with each event.
  "CREATE TABLE events(cursor INTEGER PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL)",
  "CREATE TABLE people(name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL)",
];

/** Joins two events if the second is text that continues the first. */
function joinedText(last: TextEvent | undefined, next: EventBody): TextEvent | undefined {
  if (last === undefined || next.type !== "text") return undefined;
  if (last.message !== next.message || last.attempt !== next.attempt) return undefined;
  if (last.offset + last.text.length !== next.offset || last.text.length + next.text.length > joinedLength) {
    return undefined;
  }
  return { ...last, text: last.text + next.text };
}

function entryOf(row: z.output<typeof entryRow>): Entry {
  const { id, place, author, text, state, attempt } = row;
  return {
    ...{ id, place, author, text, state, attempt, queuedAt: row.queued_at, costUsd: row.cost },
    ...(row.started_at === null ? {} : { startedAt: row.started_at }),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    ...(row.failure === null ? {} : { failure: failure.parse(JSON.parse(row.failure)) }),
  };
}

/** Without the place, which only matters to the queue. */
export const messageOf = (entry: Entry) => message.parse(entry);

function json(value: unknown): string {
  return JSON.stringify(value);
}
