import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import {
  cancelRequest,
  personHeader,
  postRequest,
  retryRequest,
  type ServiceFile,
  type SessionView,
} from "../../components/sandbox/sessions/protocol.ts";
import { startOf } from "../../components/sandbox/sessions/runner/process-identity.ts";
import { type Caller, type FakeSession, PlayedSession } from "./fake-session.ts";

/** A session service in this process that implements the protocol and executes nothing: the test says what happens. */
export interface FakeSessions extends AsyncDisposable {
  readonly file: ServiceFile;
  /** The requests, as `METHOD path`. */
  readonly asked: readonly string[];
  /** Adds a session. */
  session(options?: Partial<SessionView>): FakeSession;
  /** Ends all connections, and answers nothing until `resume`. */
  goAway(): void;
  comeBack(): void;
}

/** Starts the service on loopback. */
export async function startFakeSessions(): Promise<FakeSessions> {
  const sessions = new Map<string, PlayedSession>();
  const asked: string[] = [];
  const token = "owner-of-the-installation-0123456789";
  let isAway = false;
  const server = createServer((request, response) => {
    if (isAway) return void request.socket.destroy();
    asked.push(`${request.method} ${request.url}`);
    answer({ sessions, token }, request, response).catch((error: unknown) => {
      if (!response.headersSent) refuse(response, 500, "failed", String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    file: {
      version: 1,
      url: `http://127.0.0.1:${port}`,
      token,
      workerd: { pid: process.pid, startedAt: startOf(process.pid) ?? "" },
    },
    asked,
    session(options = {}) {
      const { id = (sessions.size + 1).toString(16).padStart(20, "a") } = options;
      const state = new PlayedSession(id, options);
      sessions.set(id, state);
      return state;
    },
    goAway() {
      isAway = true;
      server.closeAllConnections();
    },
    comeBack() {
      isAway = false;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  { sessions, token: owner }: { sessions: ReadonlyMap<string, PlayedSession>; token: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "", "http://service");
  const [, , id, what = ""] = url.pathname.split("/");
  const token = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  const isOwner = token === owner;
  const acting = String(request.headers[personHeader] ?? "owner");
  const newest = [...sessions.values()].reverse();
  if (id === undefined) {
    if (!isOwner) return refuse(response, 401, "unauthorized", "the bearer token is not valid");
    return reply(response, newest.map(summaryOf));
  }
  const session = sessions.get(id);
  if (session === undefined) return refuse(response, 404, "not_found", "there is no such session");
  const caller = isOwner ? { name: decodeURIComponent(acting), role: "owner" as const } : session.tokens.get(token);
  if (caller === undefined) return refuse(response, 401, "unauthorized", "the bearer token is not valid");
  if (request.method === "GET") return get(session, what, { url, request, response, caller });
  const body = await json(request);
  if (["pause", "resume", "stop"].includes(what) && caller.role !== "owner") {
    return refuse(response, 403, "forbidden", "only an owner of this session may do that");
  }
  switch (what) {
    case "messages": {
      await session.mayPost;
      const { key, text } = postRequest.parse(body);
      const message = session.keys.get(key) ?? session.post(caller.name, text);
      session.keys.set(key, message);
      return reply(response, { message });
    }
    case "cancel":
      return reply(response, { cancelled: session.cancel(cancelRequest.parse(body).message) });
    case "retry":
      session.retry(retryRequest.parse(body).message, caller.name);
      return reply(response, {});
    default:
      session.setStatus(what === "pause" ? "paused" : what === "resume" ? "running" : "terminated", caller.name);
      return reply(response, { ...session.view, you: caller });
  }
}

async function get(
  session: PlayedSession,
  what: string,
  asked: { url: URL; request: IncomingMessage; response: ServerResponse; caller: Caller },
): Promise<void> {
  const { url, request, response, caller } = asked;
  const from = Number(url.searchParams.get("from") ?? 0);
  if (what === "") return reply(response, { ...session.view, you: caller });
  if (what === "diff") return void response.writeHead(200, { "content-type": "text/plain" }).end(session.diff);
  if (request.headers.accept === "text/event-stream") return session.follow(response, caller.name, from);
  const limit = Number(url.searchParams.get("limit"));
  reply(response, session.events.filter(({ cursor }) => cursor > from).slice(0, limit));
}

function summaryOf({ view }: PlayedSession) {
  const { id, changeling, title, status, isAsleep, createdAt, updatedAt } = view;
  return { id, changeling, title, status, isAsleep, createdAt, updatedAt };
}

function reply(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  reply(response, { error: { code, message } }, status);
}
