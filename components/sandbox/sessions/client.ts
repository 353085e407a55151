import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { messageOf } from "../../lib/as-error.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { eventsOf } from "./event-stream.ts";
import { readServiceFile } from "./folder.ts";
import {
  type CreateRequest,
  type ErrorCode,
  errorBody,
  type InviteRequest,
  type Message,
  message as messageSchema,
  personHeader,
  type ServiceFile,
  type SessionEvent,
  type SessionSummary,
  type SessionView,
  sessionSummary,
  sessionView,
} from "./protocol.ts";
import { isServing } from "./runner/process-identity.ts";
import { type TextSeen, withoutSeenText } from "./seen-text.ts";

/** The session service rejected a request or could not execute it. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface ClientOptions {
  /** The sessions folder of the installation; see `sessionsFolder`. */
  readonly folder: string;
  /** The name of the person who acts. */
  readonly person: string;
  /** For a check: the limit for a request and all its repetitions, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

export interface EventsOptions {
  /** Return only events after this cursor. By default 0: all events. */
  readonly from?: number | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client of this machine's session service that acts as the installation's owner. It repeats a request while the
 * service restarts; the request is still executed only once.
 *
 * @throws SessionError from every method, for instance `not_found`; `unavailable` if no service runs here
 */
export interface SessionsClient {
  /** Returns at once. Events say when the sandbox has started (`ready`) or failed to start (`status: terminated`). */
  create(request: Omit<CreateRequest, "key">): Promise<SessionView>;
  /** The newest first. */
  list(filter?: { readonly changeling?: string | undefined }): Promise<SessionSummary[]>;
  show(session: string): Promise<SessionView>;
  /** @returns the message's number in the session */
  send(session: string, text: string): Promise<number>;
  /** All messages, or one page of them, in order. */
  messages(session: string, options?: { readonly after?: number; readonly limit?: number }): Promise<Message[]>;
  /**
   * The session's past and future events, each once. Reconnects from its cursor. Ends when the session is terminated or
   * the signal is aborted.
   */
  events(session: string, options?: EventsOptions): AsyncIterable<SessionEvent>;
  /** Lets the current message finish, and executes no other message until `resume`. */
  pause(session: string): Promise<SessionView>;
  resume(session: string): Promise<SessionView>;
  /** Cancels a message; by default the current one, or the start of the sandbox. @returns whether there was one */
  cancel(session: string, message?: number): Promise<boolean>;
  /** Queues a failed, cancelled or interrupted message again. */
  retry(session: string, message: number): Promise<void>;
  /** @returns the snapshot's id */
  snapshot(session: string): Promise<string>;
  /** Terminates the session and its sandbox. Succeeds if they are already terminated. */
  stop(session: string, reason?: string): Promise<SessionView>;
  /** The changes since the declared branch as a unified diff, cut off after 1 MB. */
  diff(session: string): Promise<string>;
  /** The commits as a git bundle, in base64. */
  bundle(session: string): Promise<string>;
  /** @returns the person's bearer token for this session; it is not stored, so it can't be shown again */
  invite(session: string, request: InviteRequest): Promise<string>;
  /** Ends a person's access. */
  revoke(session: string, name: string): Promise<void>;
}

/** How long requests are repeated while the service restarts, in milliseconds. */
const restartMs = 20_000;
/** Timeout of one request, in milliseconds. A snapshot takes long. */
const answerMs = 600_000;
const longestPauseMs = 2_000;

export function openSessions(options: ClientOptions): SessionsClient {
  const connection = new Connection(options);
  const view = async (session: string, what: string, body = {}) =>
    sessionView.parse(await connection.json("POST", `/sessions/${session}/${what}`, body));
  return {
    create: async (request) =>
      sessionView.parse(await connection.json("POST", "/sessions", { ...request, key: randomUUID() })),
    async list({ changeling } = {}) {
      const query = changeling === undefined ? "" : `?changeling=${encodeURIComponent(changeling)}`;
      return z.array(sessionSummary).parse(await connection.json("GET", `/sessions${query}`));
    },
    show: async (session) => sessionView.parse(await connection.json("GET", `/sessions/${session}`)),
    async send(session, text) {
      const body = { key: randomUUID(), text };
      const sent = await connection.json("POST", `/sessions/${session}/messages`, body);
      return z.object({ message: z.number() }).parse(sent).message;
    },
    messages: (session, options) => readMessages(connection, session, options),
    events: (session, options) => followEvents(connection, session, options),
    pause: (session) => view(session, "pause"),
    resume: (session) => view(session, "resume"),
    async cancel(session, message) {
      const answer = await connection.json("POST", `/sessions/${session}/cancel`, { message });
      return z.object({ cancelled: z.boolean() }).parse(answer).cancelled;
    },
    async retry(session, message) {
      await connection.json("POST", `/sessions/${session}/retry`, { message });
    },
    async snapshot(session) {
      const answer = await connection.json("POST", `/sessions/${session}/snapshot`, {});
      return z.object({ snapshot: z.string() }).parse(answer).snapshot;
    },
    stop: (session, reason) => view(session, "stop", { reason }),
    diff: async (session) => await (await connection.request("GET", `/sessions/${session}/diff`)).text(),
    bundle: async (session) => await (await connection.request("GET", `/sessions/${session}/bundle`)).text(),
    async invite(session, request) {
      const answer = await connection.json("POST", `/sessions/${session}/invite`, request);
      return z.object({ token: z.string() }).parse(answer).token;
    },
    async revoke(session, name) {
      await connection.json("POST", `/sessions/${session}/revoke`, { name });
    },
  };
}

class Connection {
  readonly #folder: string;
  readonly #person: string;

  readonly #timeoutMs: number | undefined;

  constructor({ folder, person, timeoutMs }: ClientOptions) {
    this.#folder = folder;
    this.#person = person;
    this.#timeoutMs = timeoutMs;
  }

  async json(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    return await (await this.request(method, path, { body: JSON.stringify(body) })).json();
  }

  /** Repeats the request while the service restarts. It is executed only once. @throws SessionError */
  async request(
    method: "GET" | "POST",
    path: string,
    options: {
      readonly body?: string | undefined;
      readonly headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<Response> {
    const end = Date.now() + Math.min(restartMs, this.#timeoutMs ?? restartMs);
    for (let pause = 50; ; pause = Math.min(pause * 2, longestPauseMs)) {
      // Read again each time: a service that was restarted may listen on another port.
      const service = readServiceFile(this.#folder);
      if (service === undefined) throw notRunning();
      const { body = null, headers, signal = AbortSignal.timeout(this.#remainingMs(end)) } = options;
      try {
        if (!isServing(service)) throw new TypeError("its process does not run");
        const person = { authorization: `Bearer ${service.token}`, [personHeader]: encodeURIComponent(this.#person) };
        const response = await fetch(service.url + path, { method, body, signal, headers: { ...person, ...headers } });
        if (response.ok) return response;
        throw await errorIn(response);
      } catch (error) {
        if (signal.aborted && this.#timeoutMs !== undefined) throw late(service, this.#timeoutMs, error);
        // Only if the service can't be reached.
        if (!(error instanceof TypeError)) throw error;
        if (Date.now() > end) throw service.workerd === undefined ? unreachable(service.url, error) : notRunning(error);
        await sleep(pause, undefined, options.signal === undefined ? {} : { signal: options.signal });
      }
    }
  }

  /** How long an attempt may take. @param end of the repetitions */
  #remainingMs(end: number): number {
    return this.#timeoutMs === undefined ? answerMs : Math.max(1, end - Date.now());
  }
}

function late({ url, workerd }: ServiceFile, timeoutMs: number, cause: unknown): SessionError {
  const remedy = workerd === undefined ? "; check this machine's internet connection" : "";
  const message = `the session service at ${url} did not answer within ${Math.round(timeoutMs / 1000)} s${remedy}`;
  return new SessionError("unavailable", message, { cause });
}

function notRunning(cause?: unknown): SessionError {
  return new SessionError("unavailable", `the session service is not running; start it with: ${upCommand()}`, {
    cause,
  });
}

/** @param url of the worker on Cloudflare */
function unreachable(url: string, cause: unknown): SessionError {
  const message = `the session service at ${url} can't be reached; check this machine's internet connection`;
  return new SessionError("unavailable", message, { cause });
}

async function errorIn(response: Response): Promise<SessionError> {
  const parsed = errorBody.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) return new SessionError("failed", `the session service answers with ${response.status}`);
  return new SessionError(parsed.data.error.code, parsed.data.error.message);
}

/** The most messages of one request. */
const page = 500;

async function readMessages(
  connection: Connection,
  session: string,
  { after = 0, limit = Number.POSITIVE_INFINITY }: { readonly after?: number; readonly limit?: number } = {},
): Promise<Message[]> {
  const found: Message[] = [];
  while (found.length < limit) {
    const size = Math.min(page, limit - found.length);
    const query = `after=${found.at(-1)?.id ?? after}&limit=${size}`;
    const answer = await connection.json("GET", `/sessions/${session}/messages?${query}`);
    const messages = z.array(messageSchema).parse(answer);
    found.push(...messages);
    if (messages.length < size) break;
  }
  return found;
}

async function* followEvents(
  connection: Connection,
  session: string,
  { from = 0, signal = new AbortController().signal }: EventsOptions = {},
): AsyncGenerator<SessionEvent> {
  let cursor = from;
  let seen: TextSeen | undefined;
  const headers = { accept: "text/event-stream" };
  while (!signal.aborted) {
    try {
      const response = await connection.request("GET", `/sessions/${session}/events?from=${cursor}`, {
        headers,
        signal,
      });
      for await (const event of eventsOf(response)) {
        cursor = event.cursor;
        const [trimmed, seenNow] = withoutSeenText(event, seen);
        seen = seenNow;
        if (trimmed !== undefined) yield trimmed;
        if (event.type === "status" && event.status === "terminated") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof SessionError) throw error;
      // Only a connection that failed is a TypeError. It is made again, from the cursor.
      if (!(error instanceof TypeError)) {
        const message = `an event of the session service can't be read: ${messageOf(error)}`;
        throw new SessionError("failed", message, { cause: error });
      }
    }
    await sleep(100);
  }
}
