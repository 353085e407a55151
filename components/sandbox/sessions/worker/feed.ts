import type { ServerWebSocket } from "cloudflare:workers";
import type { SessionEvent } from "../protocol.ts";
import { type TextSeen, withoutSeenText } from "../seen-text.ts";

/** A person's connection that follows a session's events. */
export interface Feed {
  readonly person: string;
  /** Of the last event that was sent. */
  cursor: number;
  /** Rejects if the connection is gone. */
  send(event: SessionEvent): void | Promise<void>;
  close(): void;
}

/** Sends a session's stored events to those who follow them, in order and at each one's own pace. */
export class Feeds {
  readonly #open = new Map<Feed, { isPumping: boolean; again: boolean; seen: TextSeen | undefined }>();
  readonly #read: (after: number, limit: number) => readonly SessionEvent[];

  constructor(read: (after: number, limit: number) => readonly SessionEvent[]) {
    this.#read = read;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Names of the people, sorted, each once. */
  present(): string[] {
    return [...new Set([...this.#open.keys()].map(({ person }) => person))].sort();
  }

  add(feed: Feed): void {
    this.#open.set(feed, { isPumping: false, again: false, seen: undefined });
    void this.#pump(feed);
  }

  /** @returns false if it was not there */
  remove(feed: Feed): boolean {
    return this.#open.delete(feed);
  }

  close(person: string): void {
    for (const feed of this.#open.keys()) if (feed.person === person) this.#drop(feed);
  }

  /** New events are stored. */
  wake(): void {
    for (const feed of this.#open.keys()) void this.#pump(feed);
  }

  /** Sends what is not stored. */
  tell(body: Omit<SessionEvent & { type: "presence" }, "cursor">): void {
    for (const feed of this.#open.keys()) void this.#send(feed, { ...body, cursor: feed.cursor });
  }

  async #pump(feed: Feed): Promise<void> {
    const state = this.#open.get(feed);
    if (state === undefined) return;
    state.again = true;
    if (state.isPumping) return;
    state.isPumping = true;
    while (state.again && this.#open.has(feed)) {
      state.again = false;
      for (let events = this.#read(feed.cursor, page); events.length > 0; events = this.#read(feed.cursor, page)) {
        for (const event of events) {
          const [trimmed, seen] = withoutSeenText(event, state.seen);
          state.seen = seen;
          feed.cursor = event.cursor;
          if (trimmed !== undefined && !(await this.#send(feed, trimmed))) return;
        }
      }
    }
    state.isPumping = false;
  }

  async #send(feed: Feed, event: SessionEvent): Promise<boolean> {
    try {
      await feed.send(event);
      return this.#open.has(feed);
    } catch {
      this.#drop(feed);
      return false;
    }
  }

  #drop(feed: Feed): void {
    this.#open.delete(feed);
    try {
      feed.close();
    } catch {
      // It is closed already.
    }
  }
}

const page = 100;

/** Survives the object's eviction: the cursor is kept with the socket. */
export function socketFeed(socket: ServerWebSocket, person: string, from: number): Feed {
  const feed: Feed = {
    person,
    cursor: from,
    send(event) {
      socket.send(JSON.stringify(event));
      socket.serializeAttachment({ person, cursor: event.cursor });
    },
    close: () => socket.close(1008, "access revoked"),
  };
  socket.serializeAttachment({ person, cursor: from });
  return feed;
}

/** How often something is sent: workerd only notices that a client is gone when it writes. Milliseconds. */
const heartbeatMs = 5_000;

/** Server-sent events. `onEnd` is called when the other side is gone. */
export function streamFeed(
  person: string,
  { from, signal, onEnd }: { from: number; signal: AbortSignal; onEnd: (feed: Feed) => void },
): [Feed, ReadableStream] {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const heartbeat = setInterval(() => void writer.write(encoder.encode(": \n\n")).catch(() => {}), heartbeatMs);
  const feed: Feed = {
    person,
    cursor: from,
    send: (event) => writer.write(encoder.encode(`id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`)),
    close: () => void writer.close().catch(() => {}),
  };
  const end = () => {
    clearInterval(heartbeat);
    onEnd(feed);
  };
  writer.closed.then(end, end);
  signal.addEventListener("abort", end);
  // Without it, a client sees no answer before the first event.
  void writer.write(encoder.encode(": \n\n")).catch(() => {});
  return [feed, readable];
}
