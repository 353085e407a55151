import { DurableObject, type DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import { maxConnections } from "../protocol.ts";
import { act, type Call, create } from "./actions.ts";
import { directoryName, type Env } from "./env.ts";
import { type Feed, Feeds, socketFeed, streamFeed } from "./feed.ts";
import { answered, numberIn } from "./http.ts";
import { RequestError } from "./queue.ts";
import { Runner } from "./runner.ts";
import { now, SessionState } from "./state.ts";
import { callerOf } from "./tokens.ts";
import { Work } from "./work.ts";

/** What is kept with a socket while the object is not in memory. */
const attachment = z.object({ person: z.string(), cursor: z.number() });

/** One session. Answers requests below `/sessions/<id>/`. */
export class Session extends DurableObject<Env> {
  readonly #state: SessionState;
  readonly #feeds: Feeds;
  readonly #runner: Runner;
  readonly #work: Work;
  readonly #sockets = new Map<ServerWebSocket, Feed>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = new SessionState(ctx, () => this.#feeds.wake());
    this.#feeds = new Feeds((after, limit) => this.#state.store.events(after, limit));
    this.#runner = new Runner(env);
    const directory = env.DIRECTORY.get(env.DIRECTORY.idFromName(directoryName));
    this.#work = new Work(ctx, this.#state, this.#runner, directory);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    for (const socket of ctx.getWebSockets()) {
      const { data } = attachment.safeParse(socket.deserializeAttachment());
      if (data !== undefined) this.#follow(socket, socketFeed(socket, data.person, data.cursor));
    }
  }

  async fetch(request: Request): Promise<Response> {
    return await answered(async () => {
      const url = new URL(request.url);
      // From the link: a runner has dialled in. The worker passes on no such path.
      if (url.pathname === "/wake") {
        this.#work.kick();
        return Response.json({});
      }
      const [, , , what = ""] = url.pathname.split("/");
      const people = this.#state.exists ? this.#state.store.people() : [];
      const caller = await callerOf(request, this.env.OWNER_HASH, people);
      const parts = { state: this.#state, work: this.#work, runner: this.#runner, feeds: this.#feeds };
      const call: Call = { ...parts, caller, request, url };
      if (what === "create" && caller.isInstallationOwner) return await create(call);
      if (!this.#state.exists) throw new RequestError("not_found", "there is no such session");
      if (what === "events" && request.method === "GET") return this.#events(call);
      return await act(call, what);
    });
  }

  async alarm(): Promise<void> {
    await this.#work.onAlarm();
  }

  webSocketMessage(socket: ServerWebSocket): void {
    socket.close(1003, "messages are sent by POST");
  }

  webSocketClose(socket: ServerWebSocket, code: number): void {
    this.#unfollow(socket);
    // Without an answer, or with 1005, the client waits for 10 s.
    socket.close(code === 1005 ? 1000 : code);
  }

  webSocketError(socket: ServerWebSocket): void {
    this.#unfollow(socket);
  }

  #events({ request, url, caller: { name } }: Call): Response {
    const last = request.headers.get("last-event-id") ?? "";
    const from = numberIn(url, "from", /^\d{1,15}$/.test(last) ? Number(last) : 0);
    const isSocket = request.headers.get("upgrade")?.toLowerCase() === "websocket";
    if (!isSocket && !request.headers.get("accept")?.includes("text/event-stream")) {
      return Response.json(this.#state.store.events(from, Math.min(numberIn(url, "limit", 500), 1000)));
    }
    if (this.#feeds.count >= maxConnections) {
      throw new RequestError("over_limit", `${maxConnections} connections follow this session already`);
    }
    if (isSocket) {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      this.#follow(server, socketFeed(server, name, from));
      this.#tellPresence();
      const upgrade = { status: 101, webSocket: client };
      return new Response(null, upgrade);
    }
    const [feed, stream] = streamFeed(name, {
      ...{ from, signal: request.signal },
      onEnd: (ended) => {
        if (this.#feeds.remove(ended)) this.#tellPresence();
      },
    });
    this.#feeds.add(feed);
    this.#tellPresence();
    const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
    return new Response(stream, { headers });
  }

  #follow(socket: ServerWebSocket, feed: Feed): void {
    this.#sockets.set(socket, feed);
    this.#feeds.add(feed);
  }

  #unfollow(socket: ServerWebSocket): void {
    const feed = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    if (feed !== undefined && this.#feeds.remove(feed)) this.#tellPresence();
  }

  #tellPresence(): void {
    this.#feeds.tell({ type: "presence", at: now(), present: this.#feeds.present() });
  }
}
