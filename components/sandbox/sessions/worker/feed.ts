import type { ServerWebSocket } from "cloudflare:workers";
import * as z from "zod/mini";
import type { SessionEvent } from "../protocol.ts";
import { type TextSeen, withoutSeenText } from "../seen-text.ts";

/** A connection of a person who follows a session's events. */
export interface Feed {
  readonly person: string;
  /** The cursor of the last event that was sent. */
  cursor: number;
  /** Whether it accepts another event now. If not, `Feeds.wake` is called as soon as it does. */
  isOpen(): boolean;
  /** Waits while the client does not read. Rejects if the connection is gone. */
  send(event: SessionEvent): void | Promise<void>;
  close(): void;
}

type Presence = Omit<SessionEvent & { type: "presence" }, "cursor">;

interface FeedState {
  isPumping: boolean;
  again: boolean;
  seen: TextSeen | undefined;
  /** The last presence event that was not sent. */
  presence: Presence | undefined;
}

/** Sends a session's stored events to its connections, in order, and to each as fast as it reads. */
export class Feeds {
  readonly #open = new Map<Feed, FeedState>();
  readonly #read: (after: number) => readonly SessionEvent[];

  /** @param read returns some of the events after a cursor: at least one, if there is any */
  constructor(read: (after: number) => readonly SessionEvent[]) {
    this.#read = read;
  }

  get count(): number {
    return this.#open.size;
  }

  has(feed: Feed): boolean {
    return this.#open.has(feed);
  }

  /** The names of the connected people, sorted, each once. */
  present(): string[] {
    return [...new Set([...this.#open.keys()].map(({ person }) => person))].sort();
  }

  add(feed: Feed): void {
    this.#open.set(feed, { isPumping: false, again: false, seen: undefined, presence: undefined });
    void this.#pump(feed);
  }

  remove(feed: Feed): void {
    this.#open.delete(feed);
  }

  close(person: string): void {
    for (const feed of this.#open.keys()) if (feed.person === person) this.#drop(feed);
  }

  /** New events are stored, or a feed accepts events again. */
  wake(feeds: Iterable<Feed> = this.#open.keys()): void {
    for (const feed of feeds) void this.#pump(feed);
  }

  /** Sends an event that is not stored. A connection that does not take it now gets only the last one. */
  publish(presence: Presence): void {
    for (const [feed, state] of this.#open) {
      state.presence = presence;
      void this.#pump(feed);
    }
  }

  async #pump(feed: Feed): Promise<void> {
    const state = this.#open.get(feed);
    if (state === undefined) return;
    state.again = true;
    if (state.isPumping) return;
    state.isPumping = true;
    while (state.again && feed.isOpen()) {
      state.again = false;
      if (!(await this.#sendStored(feed, state))) return;
      const { presence } = state;
      state.presence = undefined;
      if (presence !== undefined && !(await this.#send(feed, { ...presence, cursor: feed.cursor }))) return;
    }
    state.isPumping = false;
  }

  /** @returns false if the connection is gone */
  async #sendStored(feed: Feed, state: FeedState): Promise<boolean> {
    for (let events = this.#read(feed.cursor); events.length > 0; events = this.#read(feed.cursor)) {
      for (const event of events) {
        if (!feed.isOpen()) return true;
        const [trimmed, seen] = withoutSeenText(event, state.seen);
        state.seen = seen;
        feed.cursor = event.cursor;
        if (trimmed !== undefined && !(await this.#send(feed, trimmed))) return false;
      }
    }
    return true;
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

/**
 * The most characters that are sent over a WebSocket beyond those that its reader has acknowledged. workerd keeps all
 * unread messages in memory, and does not say how many.
 */
const maxUnacknowledged = 1_000_000;
/** Closes the connection of a reader who does not acknowledge events. */
const reconnect = { code: 4008, reason: "reconnect from your cursor, or with acknowledge=yes" } as const;

/** The state that is kept with a socket while the object is not in memory. */
export const attachment = z.object({
  person: z.string(),
  /** The cursor of the last event that was sent. */
  cursor: z.number(),
  /** How many characters were sent and not acknowledged. */
  unacknowledged: z._default(z.number(), 0),
  /** Whether the reader acknowledges events. */
  acknowledges: z._default(z.boolean(), false),
});
type Attachment = z.output<typeof attachment>;

export interface SocketFeed extends Feed {
  /** The reader has received everything up to a cursor. */
  acknowledge(cursor: number): void;
}

/** A feed over a WebSocket. It survives the object's eviction from memory. */
export function socketFeed(socket: ServerWebSocket, kept: Attachment): SocketFeed {
  const { person, acknowledges } = kept;
  /** The events that were sent and not acknowledged, in order. */
  let sent = [{ cursor: kept.cursor, length: kept.unacknowledged }];
  let unacknowledged = kept.unacknowledged;
  const save = () => socket.serializeAttachment({ person, cursor: feed.cursor, unacknowledged, acknowledges });
  const feed: SocketFeed = {
    person,
    cursor: kept.cursor,
    isOpen: () => unacknowledged < maxUnacknowledged,
    send(event) {
      const text = JSON.stringify(event);
      socket.send(text);
      unacknowledged += text.length;
      sent.push({ cursor: event.cursor, length: text.length });
      save();
      if (feed.isOpen() || acknowledges) return;
      socket.close(reconnect.code, reconnect.reason);
      throw new Error(reconnect.reason);
    },
    acknowledge(cursor) {
      sent = sent.filter((each) => each.cursor > cursor);
      unacknowledged = sent.reduce((total, { length }) => total + length, 0);
      save();
    },
    close: () => socket.close(1008, "access revoked"),
  };
  save();
  return feed;
}

/** How often a comment is sent, in milliseconds. workerd notices only when it writes that a client is gone. */
const heartbeatMs = 5_000;

/** A feed of server-sent events. `onEnd` is called when the client is gone. */
export function streamFeed(
  person: string,
  { from, signal, onEnd }: { from: number; signal: AbortSignal; onEnd: (feed: Feed) => void },
): [Feed, ReadableStream] {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  let isWaiting = false;
  const beat = async () => {
    // Not another one while the client does not read.
    if (isWaiting) return;
    isWaiting = true;
    await writer.write(encoder.encode(": \n\n")).catch(() => {});
    isWaiting = false;
  };
  const heartbeat = setInterval(() => void beat(), heartbeatMs);
  const feed: Feed = {
    person,
    cursor: from,
    isOpen: () => true,
    send: (event) => writer.write(encoder.encode(`id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`)),
    close: () => void writer.close().catch(() => {}),
  };
  let hasEnded = false;
  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    clearInterval(heartbeat);
    onEnd(feed);
  };
  writer.closed.then(end, end);
  signal.addEventListener("abort", end);
  // Otherwise, a client sees no response before the first event.
  void beat();
  return [feed, readable];
}
