import { DurableObject, type DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import { type SessionSummary, sessionStatuses, sessionSummary } from "../protocol.ts";
import type { Env } from "./env.ts";

const reservation = z.object({ id: z.string() });
const sessionRow = z.object({
  ...{ id: z.string(), changeling: z.string(), title: z.nullable(z.string()), status: z.enum(sessionStatuses) },
  ...{ is_asleep: z.number(), created_at: z.string(), updated_at: z.string() },
});

/** The list of sessions. Only the worker and its sessions can reach it. */
export class Directory extends DurableObject<Env> {
  readonly #sql: DurableObjectState["storage"]["sql"];

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS ids(id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE)");
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS sessions(
      id TEXT PRIMARY KEY, changeling TEXT NOT NULL, title TEXT, status TEXT NOT NULL, created_at TEXT NOT NULL,
      updated_at TEXT NOT NULL)`);
    // Databases of earlier versions don't have it.
    const hasColumn = "SELECT 1 FROM sqlite_master WHERE name = 'sessions' AND sql LIKE '%is_asleep%'";
    if (this.#sql.exec(hasColumn).toArray().length === 0) {
      this.#sql.exec("ALTER TABLE sessions ADD COLUMN is_asleep INTEGER NOT NULL DEFAULT 0");
    }
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/reserve":
        return Response.json({ id: this.#reserve(await request.text()) });
      case "/known":
        return Response.json({ isKnown: this.#isKnown(url.searchParams.get("id") ?? "") });
      case "/report":
        this.#report(sessionSummary.parse(await request.json()));
        return Response.json({});
      default:
        return Response.json(this.#list(url.searchParams.get("changeling")));
    }
  }

  /** @returns the id for a key, always the same */
  #reserve(key: string): string {
    const bytes = crypto.getRandomValues(new Uint8Array(10));
    const id = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#sql.exec("INSERT INTO ids(id, key) VALUES(?, ?) ON CONFLICT DO NOTHING", id, key);
    return reservation.parse(this.#sql.exec("SELECT id FROM ids WHERE key = ?", key).toArray()[0]).id;
  }

  #isKnown(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM ids WHERE id = ?", id).toArray().length > 0;
  }

  #report({ id, changeling, title, status, isAsleep, createdAt, updatedAt }: SessionSummary): void {
    this.#sql.exec(
      `INSERT INTO sessions(id, changeling, title, status, is_asleep, created_at, updated_at) VALUES(?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET status = excluded.status, is_asleep = excluded.is_asleep,
         updated_at = excluded.updated_at`,
      ...[id, changeling, title ?? null, status, Number(isAsleep), createdAt, updatedAt],
    );
  }

  /** The newest first. Of many sessions, those that are terminated are left out before others. */
  #list(changeling: string | null): SessionSummary[] {
    const [where, values] = changeling === null ? ["", []] : ["WHERE changeling = ?", [changeling]];
    const query = `SELECT * FROM
      (SELECT * FROM sessions ${where} ORDER BY status = 'terminated', created_at DESC, id LIMIT 1000)
      ORDER BY created_at DESC, id`;
    return this.#sql
      .exec(query, ...values)
      .toArray()
      .map((each) => {
        const { title, is_asleep, created_at: createdAt, updated_at: updatedAt, ...rest } = sessionRow.parse(each);
        return { ...rest, isAsleep: is_asleep === 1, createdAt, updatedAt, ...(title === null ? {} : { title }) };
      });
  }
}
