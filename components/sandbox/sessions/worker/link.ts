import { DurableObject, type DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import { deadAfterMs, deadCode, pingEveryMs, replacedCode, violationCode } from "../link-protocol.ts";
import type { Env } from "./env.ts";
import { answered } from "./http.ts";
import { notConnected, Tunnel } from "./tunnel.ts";

/** Kept with a socket while the object is not in memory: when the runner dialled in, in milliseconds. */
const attachment = z.object({ since: z.number() });
/** The most sessions that are woken up at once. */
const wakeAtOnce = 20;

interface Link {
  readonly socket: ServerWebSocket;
  readonly tunnel: Tunnel;
  readonly since: number;
}

/** The one object on Cloudflare that holds the runner's WebSocket, and sends the sessions' requests over it. */
export class RunnerLink extends DurableObject<Env> {
  readonly #sql: DurableObjectState["storage"]["sql"];
  #link: Link | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS waiting(session TEXT PRIMARY KEY)");
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    for (const socket of ctx.getWebSockets()) {
      const { data } = attachment.safeParse(socket.deserializeAttachment());
      // A socket that was replaced is already closed.
      if (data !== undefined && data.since >= (this.#link?.since ?? 0)) this.#link = newLink(socket, data.since);
    }
  }

  /** Only the worker can reach this: `/connect` (with the runner's token), `/status`, and the sessions' requests. */
  async fetch(request: Request): Promise<Response> {
    return await answered(async () => {
      const { pathname } = new URL(request.url);
      if (pathname === "/connect") return this.#connect();
      const link = this.#living();
      if (pathname === "/status") return Response.json({ isConnected: link !== undefined });
      if (link === undefined) {
        this.#wakeLater(pathname);
        throw notConnected();
      }
      this.#watch ??= setInterval(() => this.#check(), pingEveryMs);
      return await link.tunnel.fetch(request);
    });
  }

  webSocketMessage(socket: ServerWebSocket, message: string | ArrayBuffer): void {
    const link = this.#link;
    if (link === undefined || link.socket !== socket) return;
    try {
      link.tunnel.receive(message);
    } catch {
      this.#end(link, violationCode, "the message violates the protocol");
    }
  }

  webSocketClose(socket: ServerWebSocket, code: number): void {
    if (this.#link?.socket === socket) this.#end(this.#link, code === 1005 ? 1000 : code, "");
    else close(socket, code === 1005 ? 1000 : code, "");
  }

  webSocketError(socket: ServerWebSocket): void {
    if (this.#link?.socket === socket) this.#end(this.#link, 1011, "");
  }

  #connect(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    if (this.#link !== undefined) this.#end(this.#link, replacedCode, "another runner has dialled in");
    this.ctx.acceptWebSocket(server);
    const since = Date.now();
    server.serializeAttachment({ since } satisfies z.output<typeof attachment>);
    this.#link = newLink(server, since);
    this.ctx.waitUntil(this.#wake());
    const upgrade = { status: 101, webSocket: client };
    return new Response(null, upgrade);
  }

  /** The link, unless the runner has been silent for too long. */
  #living(): Link | undefined {
    const link = this.#link;
    if (link === undefined) return undefined;
    const heard = this.ctx.getWebSocketAutoResponseTimestamp(link.socket)?.getTime() ?? link.since;
    if (Date.now() - heard <= deadAfterMs) return link;
    this.#end(link, deadCode, "the runner was silent for too long");
    return undefined;
  }

  /** Checks only while requests are pending, so that the object can otherwise leave memory. */
  #check(): void {
    if (this.#living()?.tunnel.isIdle !== false) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  #end(link: Link, code: number, reason: string): void {
    if (this.#link === link) this.#link = undefined;
    link.tunnel.end();
    close(link.socket, code, reason);
  }

  /** Has the session of a request woken up as soon as a runner dials in. */
  #wakeLater(path: string): void {
    const [, session] = /^\/(?:runs|sessions)\/([0-9a-f]{20})/.exec(path) ?? [];
    if (session !== undefined) this.#sql.exec("INSERT OR IGNORE INTO waiting(session) VALUES(?)", session);
  }

  async #wake(): Promise<void> {
    for (;;) {
      const rows = this.#sql.exec("SELECT session FROM waiting LIMIT ?", wakeAtOnce).toArray();
      const sessions = rows.map((row) => z.object({ session: z.string() }).parse(row).session);
      if (sessions.length === 0) return;
      for (const session of sessions) this.#sql.exec("DELETE FROM waiting WHERE session = ?", session);
      // Each has an alarm too.
      await Promise.allSettled(
        sessions.map((id) => this.env.SESSIONS.get(this.env.SESSIONS.idFromName(id)).fetch("http://session/wake")),
      );
    }
  }
}

function newLink(socket: ServerWebSocket, since: number): Link {
  return { socket, since, tunnel: new Tunnel(socket) };
}

function close(socket: ServerWebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // It is already closed, or this code can't be sent.
  }
}
