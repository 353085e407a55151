import { DurableObject, type DurableObjectState } from "cloudflare:workers";
import * as z from "zod/mini";
import { maxConnections } from "../protocol.ts";
import { act, type Call, create } from "./actions.ts";
import { directoryName, type Env } from "./env.ts";
import { attachment, Feeds, type SocketFeed, socketFeed, streamFeed } from "./feed.ts";
import { answered, numberIn, received } from "./http.ts";
import { RequestError } from "./queue.ts";
import { Runner } from "./runner.ts";
import { now, SessionState } from "./state.ts";
import { type Caller, callerOf } from "./tokens.ts";
import { Work } from "./work.ts";

/** The only message that a WebSocket's reader may send: the cursor of the last event that it has received. */
const acknowledgement = z.object({ cursor: z.number() });

/** One session. It answers requests below `/sessions/<id>/`. */
export class Session extends DurableObject<Env> {
  readonly #state: SessionState;
  readonly #feeds: Feeds;
  readonly #runner: Runner;
  readonly #work: Work;
  readonly #sockets = new Map<ServerWebSocket, SocketFeed>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = new SessionState(ctx, () => this.#feeds.wake());
    this.#feeds = new Feeds((after) => this.#state.store.someEvents(after));
    this.#runner = new Runner(env);
    const directory = env.DIRECTORY.get(env.DIRECTORY.idFromName(directoryName));
    this.#work = new Work(ctx, this.#state, this.#runner, directory);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    for (const socket of ctx.getWebSockets()) {
      const { data } = attachment.safeParse(socket.deserializeAttachment());
      if (data !== undefined) this.#follow(socket, socketFeed(socket, data));
    }
  }

  async fetch(incoming: Request): Promise<Response> {
    return await answered(async () => {
      const url = new URL(incoming.url);
      // From the link: a runner has dialled in. The worker forwards no request to this path.
      if (url.pathname === "/wake") {
        this.#work.kick();
        return Response.json({});
      }
      const [, , , what = ""] = url.pathname.split("/");
      // Nobody else's body is read. It may arrive hours later, and the person may have been revoked meanwhile.
      await this.#callerOf(incoming);
      const request = await received(incoming);
      const caller = await this.#callerOf(request);
      const parts = { state: this.#state, work: this.#work, runner: this.#runner, feeds: this.#feeds };
      const call: Call = { ...parts, caller, request, url };
      if (what === "create" && caller.isInstallationOwner) return await create(call);
      if (!this.#state.exists) throw new RequestError("not_found", "there is no such session");
      if (what === "events" && request.method === "GET") return this.#events(call);
      return await act(call, what);
    });
  }

  async #callerOf(request: Request): Promise<Caller> {
    return await callerOf(request, this.env.OWNER_HASH, this.#state.exists ? this.#state.store.people() : []);
  }

  async alarm(): Promise<void> {
    await this.#work.onAlarm();
  }

  webSocketMessage(socket: ServerWebSocket, text: unknown): void {
    const feed = this.#sockets.get(socket);
    const { data } = acknowledgement.safeParse(jsonOf(text));
    if (data === undefined) socket.close(1003, "only acknowledgements ({cursor}) are accepted; send messages by POST");
    else if (feed !== undefined) {
      feed.acknowledge(data.cursor);
      this.#feeds.wake([feed]);
    }
  }

  webSocketClose(socket: ServerWebSocket, code: number): void {
    this.#unfollow(socket);
    // Without a reply, or with code 1005, the client waits for 10 s.
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
    if (this.#connections() >= maxConnections) {
      throw new RequestError("over_limit", `${maxConnections} connections follow this session already`);
    }
    if (isSocket) {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      const kept = {
        person: name,
        cursor: from,
        unacknowledged: 0,
        acknowledges: url.searchParams.get("acknowledge") === "yes",
      };
      this.#follow(server, socketFeed(server, kept));
      this.#publishPresence();
      const upgrade = { status: 101, webSocket: client };
      return new Response(null, upgrade);
    }
    const [feed, stream] = streamFeed(name, {
      ...{ from, signal: request.signal },
      onEnd: (ended) => {
        this.#feeds.remove(ended);
        this.#publishPresence();
      },
    });
    this.#feeds.add(feed);
    this.#publishPresence();
    const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
    return new Response(stream, { headers });
  }

  /** Includes connections that were closed here while the client has not noticed yet, because they need memory too. */
  #connections(): number {
    const closing = [...this.#sockets.values()].filter((feed) => !this.#feeds.has(feed));
    return this.#feeds.count + closing.length;
  }

  #follow(socket: ServerWebSocket, feed: SocketFeed): void {
    this.#sockets.set(socket, feed);
    this.#feeds.add(feed);
  }

  #unfollow(socket: ServerWebSocket): void {
    const feed = this.#sockets.get(socket);
    if (feed === undefined) return;
    this.#sockets.delete(socket);
    this.#feeds.remove(feed);
    this.#publishPresence();
  }

  #publishPresence(): void {
    this.#feeds.publish({ type: "presence", at: now(), present: this.#feeds.present() });
  }
}

function jsonOf(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
