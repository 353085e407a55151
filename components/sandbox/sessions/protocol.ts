/** Requests, responses and events of the session service, its clients and its runner. The worker bundles this file too. */
import * as z from "zod/mini";

export const sessionStatuses = ["running", "paused", "terminated"] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

/** `queued` and `processing` are open states; the others are final, until a person retries the message. */
export const messageStates = ["queued", "processing", "done", "failed", "cancelled", "interrupted"] as const;
export type MessageState = (typeof messageStates)[number];

export const roles = ["owner", "guest"] as const;
export type Role = (typeof roles)[number];

/** The most characters of one message. */
export const maxMessageLength = 200_000;
/** The most connections that may follow one session's events. */
export const maxConnections = 64;
/** The most messages that may wait in one session, and the most characters of all of them. They are kept in memory. */
export const maxQueued = 5_000;
export const maxQueuedLength = 10_000_000;

/** Errors of requests to the service. */
const errorCodes = [
  "bad_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "conflict",
  "terminated",
  "too_large",
  "over_limit",
  "unavailable",
  "failed",
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export const errorBody = z.object({ error: z.object({ code: z.enum(errorCodes), message: z.string() }) });

/** Limits of one session. A missing limit does not apply. */
export const limits = z.object({
  messages: z.optional(z.number().check(z.int(), z.positive())),
  /** Of executing all messages together. */
  minutes: z.optional(z.number().check(z.positive())),
  costUsd: z.optional(z.number().check(z.positive())),
});
export type Limits = z.output<typeof limits>;

/** A person's display name. */
export const personName = z.string().check(z.trim(), z.minLength(1), z.maxLength(80), z.regex(/^[^\p{Cc}]*$/u));
const changelingName = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,39}$/));
/** Makes a request idempotent: a repeated one returns the first one's result. */
const idempotencyKey = z.string().check(z.regex(/^[\w-]{8,80}$/));

export const sessionId = z.string().check(z.regex(/^[0-9a-f]{20}$/));

export const createRequest = z.object({
  key: idempotencyKey,
  changeling: changelingName,
  /** Overrides the declared branch. */
  branch: z.optional(z.string().check(z.minLength(1), z.maxLength(250))),
  title: z.optional(z.string().check(z.maxLength(200))),
  limits: z._default(limits, {}),
});
export type CreateRequest = z.input<typeof createRequest>;

export const postRequest = z.object({
  key: idempotencyKey,
  text: z.string().check(z.minLength(1), z.maxLength(maxMessageLength)),
});
/** Without a message: the current one, or the start of the sandbox. */
export const cancelRequest = z.object({ message: z.optional(z.number()) });
export const retryRequest = z.object({ message: z.number() });
export const inviteRequest = z.object({ name: personName, role: z.enum(roles) });
export type InviteRequest = z.output<typeof inviteRequest>;

/** The runner's report about a session's sandbox. */
export const sandboxRequest = z.object({ isAsleep: z.boolean(), snapshot: z.optional(z.string()) });

/** Why a message did not succeed. The code is a runtime's, the step of a sandbox's life, or the service's own. */
export const failure = z.object({ code: z.string(), message: z.string() });
export type Failure = z.output<typeof failure>;

export const message = z.object({
  /** Counts from 1 in each session. */
  id: z.number(),
  author: z.string(),
  text: z.string(),
  state: z.enum(messageStates),
  /** Begins with 1, and grows by 1 with each retry. */
  attempt: z.number(),
  /** ISO 8601, UTC. */
  queuedAt: z.string(),
  startedAt: z.optional(z.string()),
  endedAt: z.optional(z.string()),
  failure: z.optional(failure),
  costUsd: z._default(z.number(), 0),
});
export type Message = z.output<typeof message>;

/** A session in the list of sessions. */
export const sessionSummary = z.object({
  id: sessionId,
  changeling: z.string(),
  title: z.optional(z.string()),
  status: z.enum(sessionStatuses),
  /** Whether its sandbox sleeps: it is saved in a snapshot, and the next message wakes it up. */
  isAsleep: z._default(z.boolean(), false),
  createdAt: z.string(),
  /** When the last message or change came. */
  updatedAt: z.string(),
});
export type SessionSummary = z.output<typeof sessionSummary>;

export const sessionView = z.extend(sessionSummary, {
  branch: z.optional(z.string()),
  /** Whether its sandbox has started. */
  isReady: z.boolean(),
  /** Whether the sandbox of a terminated session has ended, and its snapshot is removed. */
  isCleaned: z._default(z.boolean(), false),
  /** Why it is terminated. */
  reason: z.optional(z.string()),
  /** The last snapshot of its sandbox. */
  snapshot: z.optional(z.string()),
  /** The number of messages, whatever their state. */
  messages: z.number(),
  /** Queued messages in order, after the one that is being executed. */
  queue: z.array(message),
  people: z.array(z.object({ name: z.string(), role: z.enum(roles) })),
  /** The person who asks. */
  you: z.optional(z.object({ name: z.string(), role: z.enum(roles) })),
  /** The names of the people who follow its events now. */
  present: z.array(z.string()),
  limits,
  used: z.object({ messages: z.number(), minutes: z.number(), costUsd: z.number() }),
  /** Of the last event. */
  cursor: z.number(),
});
export type SessionView = z.output<typeof sessionView>;

const ofMessage = { message: z.number(), attempt: z.number() };

/** What happened in a session. `sessionEvent` adds when. */
export const eventBody = z.discriminatedUnion("type", [
  z.object({ type: z.literal("created"), by: z.string(), changeling: z.string(), title: z.optional(z.string()) }),
  /** A line for people about the start of the sandbox. */
  z.object({ type: z.literal("progress"), text: z.string() }),
  z.object({ type: z.literal("ready"), branch: z.string() }),
  /** A message was queued. */
  z.object({ type: z.literal("message"), message: z.number(), author: z.string(), text: z.string() }),
  z.object({ type: z.literal("started"), ...ofMessage }),
  /**
   * A piece of the answer. `offset` is its position in the attempt's text, in UTF-16 code units. After a reconnection a
   * piece may overlap text that was already received; the client in `client.ts` trims it.
   */
  z.object({ type: z.literal("text"), ...ofMessage, offset: z.number(), text: z.string() }),
  z.object({ type: z.literal("tool_call"), ...ofMessage, id: z.string(), name: z.string(), input: z.unknown() }),
  z.object({
    type: z.literal("tool_result"),
    ...ofMessage,
    id: z.string(),
    output: z.string(),
    isError: z.boolean(),
  }),
  z.object({ type: z.literal("usage"), ...ofMessage, inputTokens: z.number(), outputTokens: z.number() }),
  z.object({ type: z.literal("cost"), ...ofMessage, usd: z.number() }),
  z.object({ type: z.literal("notice"), ...ofMessage, text: z.string() }),
  z.object({
    type: z.literal("finished"),
    ...ofMessage,
    state: z.enum(["done", "failed", "cancelled", "interrupted"]),
    /** With `done`: the whole answer, even if it was not streamed. */
    answer: z.optional(z.string()),
    failure: z.optional(failure),
  }),
  /** A person retried a message: a new attempt is queued. */
  z.object({ type: z.literal("retried"), ...ofMessage, by: z.string() }),
  z.object({
    type: z.literal("status"),
    status: z.enum(sessionStatuses),
    by: z.string(),
    reason: z.optional(z.string()),
  }),
  z.object({ type: z.literal("snapshot"), snapshot: z.string(), by: z.string() }),
  /** The sandbox fell asleep or woke up. */
  z.object({ type: z.literal("sandbox"), isAsleep: z.boolean() }),
  z.object({ type: z.literal("invited"), name: z.string(), role: z.enum(roles), by: z.string() }),
  z.object({ type: z.literal("revoked"), name: z.string(), by: z.string() }),
  /** Somebody started or stopped following the events. It is not stored: its cursor is that of the last event. */
  z.object({ type: z.literal("presence"), present: z.array(z.string()) }),
]);
export type EventBody = z.output<typeof eventBody>;

/** An event with its position in the transcript. Cursors increase, with gaps. */
export const sessionEvent = z.intersection(z.object({ cursor: z.number(), at: z.string() }), eventBody);
export type SessionEvent = z.output<typeof sessionEvent>;

/** `service.json`, 0600: where the service is, and the token of its owner. */
export const serviceFile = z.object({
  version: z.literal(1),
  /** For instance `http://127.0.0.1:40123`, or the URL of the worker on Cloudflare. */
  url: z.string(),
  /** The installation owner's token: lists and creates sessions, and is an owner of each. */
  token: z.string(),
  /** undefined if the sessions are on Cloudflare */
  workerd: z.optional(z.object({ pid: z.number(), startedAt: z.string() })),
});
export type ServiceFile = z.output<typeof serviceFile>;

/** The header with the name of the person who acts as the installation's owner; `owner` by default. Percent-encoded. */
export const personHeader = "x-changelings-person";
