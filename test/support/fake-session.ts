import type { ServerResponse } from "node:http";
import type {
  EventBody,
  Message,
  Role,
  SessionEvent,
  SessionView,
} from "../../components/sandbox/sessions/protocol.ts";

/** A session in which nothing is executed: the test says what happens. */
export interface FakeSession {
  readonly id: string;
  readonly view: SessionView;
  readonly messages: readonly Message[];
  /** What `GET diff` answers. */
  diff: string;
  /** Resolves as soon as somebody follows its events. */
  readonly followed: Promise<void>;
  /** Sent messages are accepted only after this. */
  mayPost: Promise<void>;
  /** Appends an event, and sends it to everybody who follows the session. */
  publish(body: EventBody): void;
  /** Queues a message, as if a person had sent it. @returns its number */
  post(author: string, text: string): number;
  /** Begins to process the next message. @returns its number */
  begin(): number;
  /** Publishes a piece of the answer to the current message. */
  say(text: string): void;
  tool(call: { name: string; input: unknown; output?: string; isError?: boolean }): void;
  finish(state?: "done" | "failed" | "interrupted" | "cancelled", failure?: { code: string; message: string }): void;
  /** Queues a message again, as if a person had retried it. */
  retry(message: number, by: string): void;
  /** @returns the person's token */
  invite(name: string, role: Role): string;
  revoke(name: string): void;
}

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** Used by the service of `fake-sessions.ts`; tests see it as a `FakeSession`. */
export class PlayedSession implements FakeSession {
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

  publish(body: EventBody): void {
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
      this.#publishPresence();
    });
    this.#publishPresence();
  }

  #publishPresence(): void {
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
    this.publish({ type: "message", message: id, author, text });
    return id;
  }

  begin(): number {
    const [first] = this.view.queue;
    if (first === undefined) throw new Error("no message waits");
    first.state = "processing";
    this.#length = 0;
    this.publish({ type: "started", message: first.id, attempt: first.attempt });
    return first.id;
  }

  say(text: string): void {
    const { id: message, attempt } = this.#current;
    this.publish({ type: "text", message, attempt, offset: this.#length, text });
    this.#length += text.length;
  }

  tool({ name, input, output, isError = false }: Parameters<FakeSession["tool"]>[0]): void {
    const { id: message, attempt } = this.#current;
    const id = `tool-${this.#tools++}`;
    this.publish({ type: "tool_call", message, attempt, id, name, input });
    if (output !== undefined) this.publish({ type: "tool_result", message, attempt, id, output, isError });
  }

  finish(state: Parameters<FakeSession["finish"]>[0] = "done", failure?: { code: string; message: string }): void {
    const current = this.#current;
    current.state = state;
    this.view.queue = this.view.queue.filter((each) => each !== current);
    const { id: message, attempt } = current;
    this.publish({ type: "finished", message, attempt, state, ...(failure === undefined ? {} : { failure }) });
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
      this.publish({ type: "finished", message: entry.id, attempt: entry.attempt, state: "cancelled" });
    }
    return entry !== undefined;
  }

  retry(id: number, by: string): void {
    const entry = this.messages[id - 1];
    if (entry === undefined) throw new Error("no such message");
    entry.attempt += 1;
    entry.state = "queued";
    this.view.queue.push(entry);
    this.publish({ type: "retried", message: id, attempt: entry.attempt, by });
  }

  setStatus(status: SessionView["status"], by: string): void {
    if (status === "terminated") for (const { id } of [...this.view.queue]) this.cancel(id);
    this.view.status = status;
    this.publish({ type: "status", status, by });
  }
}

function send(feed: ServerResponse, event: SessionEvent): void {
  feed.write(`id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`);
}

function now(): string {
  return new Date().toISOString();
}
