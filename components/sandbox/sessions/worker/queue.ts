import {
  type ErrorCode,
  type EventBody,
  type Limits,
  type Message,
  maxQueued,
  maxQueuedLength,
  type SessionStatus,
} from "../protocol.ts";
import type { Outcome } from "../runner-protocol.ts";

/** A rejected request. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A message with its place in the queue. Places increase, and a retried message gets a new one. */
export interface Entry extends Message {
  readonly place: number;
}

/** The state that decides what a session does next. It is immutable: each change returns a new one. */
export interface Queue {
  readonly status: SessionStatus;
  /** The messages that are queued or being executed, by place. Only the first can be `processing`. */
  readonly open: readonly Entry[];
  /** The number of messages so far, whatever their state. */
  readonly messages: number;
  /** The number of places that were given so far. */
  readonly places: number;
  readonly limits: Limits;
  readonly used: { readonly minutes: number; readonly costUsd: number };
}

/** A change of the queue. All of it is stored in one transaction; then the events are published. */
export interface Change {
  readonly queue: Queue;
  readonly changed: readonly Entry[];
  readonly events: readonly EventBody[];
  /** The attempt whose execution must be aborted. */
  readonly abort?: Entry | undefined;
}

export function emptyQueue(limits: Limits): Queue {
  return { status: "running", open: [], messages: 0, places: 0, limits, used: { minutes: 0, costUsd: 0 } };
}

export function processing({ open }: Queue): Entry | undefined {
  return open[0]?.state === "processing" ? open[0] : undefined;
}

/** Adds a message. @throws RequestError if the session is terminated or a limit is reached */
export function post(queue: Queue, { author, text, at }: { author: string; text: string; at: string }): Change {
  rejectTerminated(queue);
  const { messages: most } = queue.limits;
  if (most !== undefined && queue.messages >= most) {
    throw new RequestError("over_limit", `this session is limited to ${most} messages`);
  }
  const over = overLimit(queue);
  if (over !== undefined) throw new RequestError("over_limit", over);
  rejectFull(queue, text);
  const id = queue.messages + 1;
  const place = queue.places + 1;
  const entry: Entry = { id, author, text, state: "queued", attempt: 1, queuedAt: at, costUsd: 0, place };
  return {
    queue: { ...queue, open: [...queue.open, entry], messages: id, places: place },
    changed: [entry],
    events: [{ type: "message", message: id, author, text }],
  };
}

/**
 * Marks the next message as `processing`, which must be stored before it is executed. If a limit is reached, the message
 * fails.
 *
 * @returns undefined if no message may be executed now
 */
export function begin(queue: Queue, at: string): Change | undefined {
  const [first, ...rest] = queue.open;
  if (queue.status !== "running" || first?.state !== "queued") return undefined;
  const { id: message, attempt } = first;
  const over = overLimit(queue);
  if (over !== undefined) {
    const failure = { code: "over_limit", message: over };
    const failed: Entry = { ...first, state: "failed", endedAt: at, failure };
    return {
      queue: { ...queue, open: rest },
      changed: [failed],
      events: [{ type: "finished", message, attempt, state: "failed", failure }],
    };
  }
  const begun: Entry = { ...first, state: "processing", startedAt: at };
  return {
    queue: { ...queue, open: [begun, ...rest] },
    changed: [begun],
    events: [{ type: "started", message, attempt }],
  };
}

/**
 * Ends the current attempt.
 *
 * @returns undefined if it is no longer the current one, because its session was terminated
 */
export function end(
  queue: Queue,
  { id, attempt }: Pick<Entry, "id" | "attempt">,
  { outcome, costUsd, at }: { outcome: Outcome; costUsd: number; at: string },
): Change | undefined {
  const first = processing(queue);
  if (first === undefined || first.id !== id || first.attempt !== attempt) return undefined;
  const failure = "failure" in outcome ? outcome.failure : undefined;
  const ended: Entry = { ...first, state: outcome.state, endedAt: at, failure, costUsd: first.costUsd + costUsd };
  const minutes = Math.max(0, Date.parse(at) - Date.parse(first.startedAt ?? at)) / 60_000;
  const { used } = queue;
  return {
    queue: {
      ...queue,
      open: queue.open.slice(1),
      used: { minutes: used.minutes + minutes, costUsd: used.costUsd + costUsd },
    },
    changed: [ended],
    events: [
      {
        ...{ type: "finished", message: id, attempt, state: outcome.state },
        ...(outcome.state === "done" ? { answer: outcome.answer } : {}),
        ...(failure === undefined ? {} : { failure }),
      },
    ],
  };
}

/**
 * Cancels a queued message. The current message is only aborted, and ends with the outcome that its execution reports.
 *
 * @param id by default the current message
 * @returns undefined if there is no such message in the queue
 */
export function cancel(queue: Queue, { id, at }: { id: number | undefined; at: string }): Change | undefined {
  const entry = id === undefined ? processing(queue) : queue.open.find((each) => each.id === id);
  if (entry === undefined) return undefined;
  if (entry.state === "processing") return { queue, changed: [], events: [], abort: entry };
  const open = queue.open.filter((each) => each !== entry);
  return { queue: { ...queue, open }, ...cancelled([entry], at) };
}

/** Queues another attempt of a message, after all waiting messages. @throws RequestError */
export function retry(queue: Queue, entry: Entry, { by, at }: { by: string; at: string }): Change {
  rejectTerminated(queue);
  if (entry.state === "queued" || entry.state === "processing" || entry.state === "done") {
    throw new RequestError(
      "conflict",
      `message ${entry.id} is ${entry.state}; only one that did not succeed is retried`,
    );
  }
  rejectFull(queue, entry.text);
  const attempt = entry.attempt + 1;
  const place = queue.places + 1;
  const { failure: _, startedAt: __, endedAt: ___, ...kept } = entry;
  const again: Entry = { ...kept, state: "queued", attempt, place, queuedAt: at };
  return {
    queue: { ...queue, open: [...queue.open, again], places: place },
    changed: [again],
    events: [{ type: "retried", message: entry.id, attempt, by }],
  };
}

/** @throws RequestError if the session is terminated. @returns undefined if it already has this status */
export function setStatus(
  queue: Queue,
  { status, by, at, reason }: { status: SessionStatus; by: string; at: string; reason?: string | undefined },
): Change | undefined {
  if (status === queue.status) return undefined;
  rejectTerminated(queue);
  const event: EventBody = { type: "status", status, by, ...(reason === undefined ? {} : { reason }) };
  if (status !== "terminated") return { queue: { ...queue, status }, changed: [], events: [event] };
  const { changed, events } = cancelled(queue.open, at);
  return { queue: { ...queue, status, open: [] }, changed, events: [...events, event], abort: processing(queue) };
}

function cancelled(entries: readonly Entry[], at: string): Pick<Change, "changed" | "events"> {
  return {
    changed: entries.map((each) => ({ ...each, state: "cancelled", endedAt: at })),
    events: entries.map(({ id, attempt }) => ({ type: "finished", message: id, attempt, state: "cancelled" })),
  };
}

function rejectTerminated({ status }: Queue): void {
  if (status === "terminated") throw new RequestError("terminated", "this session is terminated");
}

/** @throws RequestError if no other message of this text may wait */
function rejectFull({ open }: Queue, text: string): void {
  if (open.length >= maxQueued) throw new RequestError("over_limit", `${maxQueued} messages are waiting already`);
  const length = open.reduce((sum, each) => sum + each.text.length, text.length);
  if (length > maxQueuedLength) {
    throw new RequestError("over_limit", "the waiting messages are too long together: wait, or cancel one");
  }
}

function overLimit({ limits, used }: Queue): string | undefined {
  if (limits.minutes !== undefined && used.minutes >= limits.minutes) {
    return `this session is limited to ${limits.minutes} minutes of execution`;
  }
  if (limits.costUsd !== undefined && used.costUsd >= limits.costUsd) {
    return `this session is limited to ${limits.costUsd} US dollars`;
  }
  return undefined;
}
