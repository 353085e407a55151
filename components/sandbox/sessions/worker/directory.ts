import { DurableObject, type DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import { type SessionSummary, sessionStatuses, sessionSummary } from "../protocol.ts";
import type { Env } from "./env.ts";

const line = z.object({ id: z.string(), key: z.string() });
const row = z.object({
  ...{ id: z.string(), changeling: z.string(), title: z.nullable(z.string()), status: z.enum(sessionStatuses) },
  ...{ created_at: z.string(), updated_at: z.string() },
});

/** Knows which sessions there are. Only the worker and its sessions can reach it. */
export class Directory extends DurableObject<Env> {
  readonly #sql: DurableObjectState["storage"]["sql"];

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS ids(id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE)");
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS sessions(
      id TEXT PRIMARY KEY, changeling TEXT NOT NULL, title TEXT, status TEXT NOT NULL, created_at TEXT NOT NULL,
      updated_at TEXT NOT NULL)`);
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
    return line.parse(this.#sql.exec("SELECT id, key FROM ids WHERE key = ?", key).toArray()[0]).id;
  }

  #isKnown(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM ids WHERE id = ?", id).toArray().length > 0;
  }

  #report({ id, changeling, title, status, createdAt, updatedAt }: SessionSummary): void {
    this.#sql.exec(
      `INSERT INTO sessions VALUES(?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at`,
      ...[id, changeling, title ?? null, status, createdAt, updatedAt],
    );
  }

  #list(changeling: string | null): SessionSummary[] {
    const [where, values] = changeling === null ? ["", []] : ["WHERE changeling = ?", [changeling]];
    const query = `SELECT * FROM sessions ${where} ORDER BY created_at DESC, id LIMIT 1000`;
    return this.#sql
      .exec(query, ...values)
      .toArray()
      .map((each) => {
        const { id, changeling, title, status, created_at: createdAt, updated_at: updatedAt } = row.parse(each);
        return { id, changeling, status, createdAt, updatedAt, ...(title === null ? {} : { title }) };
      });
  }
}
