import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import {
  cancelRequest,
  type EventBody,
  type Message,
  personHeader,
  postRequest,
  type Role,
  retryRequest,
  type ServiceFile,
  type SessionEvent,
  type SessionView,
} from "../../components/sandbox/sessions/protocol.ts";

/** A session service in this process that speaks the protocol and executes nothing: the test says what happens. */
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

export interface FakeSession {
  readonly id: string;
  readonly view: SessionView;
  readonly messages: readonly Message[];
  /** What `GET diff` answers. */
  diff: string;
  /** Resolves as soon as somebody follows its events. */
  readonly followed: Promise<void>;
  /** A message that is sent is not taken before that. */
  mayPost: Promise<void>;
  /** Appends an event, and sends it to those who follow. */
  tell(body: EventBody): void;
  /** As if a person had sent a message. @returns its number */
  post(author: string, text: string): number;
  /** The next message begins to be processed. */
  begin(): number;
  /** A piece of the answer to the message that is processed. */
  say(text: string): void;
  tool(call: { name: string; input: unknown; output?: string; isError?: boolean }): void;
  finish(state?: "done" | "failed" | "interrupted" | "cancelled", failure?: { code: string; message: string }): void;
  /** A person wants a message to be executed again. */
  retry(message: number, by: string): void;
  /** @returns the person's token */
  invite(name: string, role: Role): string;
  revoke(name: string): void;
}

interface Caller {
  readonly name: string;
  readonly role: Role;
}

class State implements FakeSession {
  diff = "";
  mayPost = Promise.resolve();
  readonly #followed = Promise.withResolvers<void>();
  readonly messages: Message[] = [];
  readonly view: SessionView;
  readonly events: SessionEvent[] = [];
  readonly tokens = new Map<string, Caller>();
  readonly keys = new Map<string, number>();
  readonly feeds = new Map<ServerResponse, string>();
  #length = 0;
  #tools = 0;

  constructor(id: string, options: Partial<SessionView>) {
    const at = now();
    this.view = {
      ...{ id, changeling: "example", status: "running", createdAt: at, updatedAt: at, isReady: true, messages: 0 },
      isAsleep: false,
      isCleaned: false,
      ...{ queue: [], people: [], present: [], limits: {}, used: { messages: 0, minutes: 0, costUsd: 0 }, cursor: 0 },
      ...options,
    };
  }

  get followed() {
    return this.#followed.promise;
  }

  get id() {
    return this.view.id;
  }

  tell(body: EventBody): void {
    this.view.cursor += 1;
    const event: SessionEvent = { ...body, cursor: this.view.cursor, at: now() };
    this.events.push(event);
    for (const feed of this.feeds.keys()) send(feed, event);
  }

  follow(response: ServerResponse, person: string, from: number): void {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": \n\n");
    for (const event of this.events) if (event.cursor > from) send(response, event);
    this.feeds.set(response, person);
    this.#followed.resolve();
    response.once("close", () => {
      this.feeds.delete(response);
      this.#tellPresence();
    });
    this.#tellPresence();
  }

  #tellPresence(): void {
    this.view.present = [...new Set(this.feeds.values())].sort();
    const body = { type: "presence", present: this.view.present } as const;
    for (const feed of this.feeds.keys()) send(feed, { ...body, cursor: this.view.cursor, at: now() });
  }

  get #current(): Message {
    const [first] = this.view.queue;
    if (first?.state !== "processing") throw new Error("no message is processed");
    return first;
  }

  post(author: string, text: string): number {
    const id = this.messages.length + 1;
    const message: Message = { id, author, text, state: "queued", attempt: 1, queuedAt: now(), costUsd: 0 };
    this.messages.push(message);
    this.view.queue.push(message);
    this.view.messages = this.view.used.messages = id;
    this.tell({ type: "message", message: id, author, text });
    return id;
  }

  begin(): number {
    const [first] = this.view.queue;
    if (first === undefined) throw new Error("no message waits");
    first.state = "processing";
    this.#length = 0;
    this.tell({ type: "started", message: first.id, attempt: first.attempt });
    return first.id;
  }

  say(text: string): void {
    const { id: message, attempt } = this.#current;
    this.tell({ type: "text", message, attempt, offset: this.#length, text });
    this.#length += text.length;
  }

  tool({ name, input, output, isError = false }: Parameters<FakeSession["tool"]>[0]): void {
    const { id: message, attempt } = this.#current;
    const id = `tool-${this.#tools++}`;
    this.tell({ type: "tool_call", message, attempt, id, name, input });
    if (output !== undefined) this.tell({ type: "tool_result", message, attempt, id, output, isError });
  }

  finish(state: Parameters<FakeSession["finish"]>[0] = "done", failure?: { code: string; message: string }): void {
    const current = this.#current;
    current.state = state;
    this.view.queue = this.view.queue.filter((each) => each !== current);
    const { id: message, attempt } = current;
    this.tell({ type: "finished", message, attempt, state, ...(failure === undefined ? {} : { failure }) });
  }

  invite(name: string, role: Role): string {
    const token = `guest-${name.replace(/\W/g, "")}-${"t".repeat(30)}`;
    this.tokens.set(token, { name, role });
    this.view.people.push({ name, role });
    return token;
  }

  revoke(name: string): void {
    for (const [token, person] of this.tokens) if (person.name === name) this.tokens.delete(token);
    for (const [feed, person] of this.feeds) if (person === name) feed.destroy();
  }

  cancel(id: number | undefined): boolean {
    const entry = this.view.queue.find((each) => (id === undefined ? each.state === "processing" : each.id === id));
    if (entry?.state === "processing") this.finish("cancelled");
    else if (entry !== undefined) {
      entry.state = "cancelled";
      this.view.queue = this.view.queue.filter((each) => each !== entry);
      this.tell({ type: "finished", message: entry.id, attempt: entry.attempt, state: "cancelled" });
    }
    return entry !== undefined;
  }

  retry(id: number, by: string): void {
    const entry = this.messages[id - 1];
    if (entry === undefined) throw new Error("no such message");
    entry.attempt += 1;
    entry.state = "queued";
    this.view.queue.push(entry);
    this.tell({ type: "retried", message: id, attempt: entry.attempt, by });
  }

  setStatus(status: SessionView["status"], by: string): void {
    if (status === "terminated") for (const { id } of [...this.view.queue]) this.cancel(id);
    this.view.status = status;
    this.tell({ type: "status", status, by });
  }
}

/** Starts it on loopback. */
export async function startFakeSessions(): Promise<FakeSessions> {
  const sessions = new Map<string, State>();
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
    file: { version: 1, url: `http://127.0.0.1:${port}`, token, workerd: { pid: process.pid, startedAt: now() } },
    asked,
    session(options = {}) {
      const { id = (sessions.size + 1).toString(16).padStart(20, "a") } = options;
      const state = new State(id, options);
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
  { sessions, token: owner }: { sessions: ReadonlyMap<string, State>; token: string },
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
  session: State,
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

function summaryOf({ view }: State) {
  const { id, changeling, title, status, isAsleep, createdAt, updatedAt } = view;
  return { id, changeling, title, status, isAsleep, createdAt, updatedAt };
}

function send(feed: ServerResponse, event: SessionEvent): void {
  feed.write(`id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`);
}

function reply(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  reply(response, { error: { code, message } }, status);
}

function now(): string {
  return new Date().toISOString();
}
