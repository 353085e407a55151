import type {
  CreateRequest,
  ErrorCode,
  InviteRequest,
  Message,
  SessionEvent,
  SessionSummary,
  SessionView,
} from "./protocol.ts";

/** The session service refused or could not do it. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ClientOptions {
  /** The sessions folder of the installation, with `service.json`; see `sessionsFolder`. */
  readonly folder: string;
  /** Who acts, by name. */
  readonly person: string;
}

export interface EventsOptions {
  /** Only events after this cursor; 0 by default: all. */
  readonly from?: number | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client of this machine's session service, as the installation's owner. Each request is repeated while the service
 * restarts, and has its effect once.
 *
 * @throws SessionError from every method, for instance `not_found`; `unavailable` if no service runs here
 */
export interface SessionsClient {
  /** Returns at once: its events tell when the sandbox has started (`ready`), or has not (`status: terminated`). */
  create(request: Omit<CreateRequest, "key">): Promise<SessionView>;
  /** The newest first. */
  list(filter?: { readonly changeling?: string | undefined }): Promise<SessionSummary[]>;
  show(session: string): Promise<SessionView>;
  /** @returns the message's number in the session */
  send(session: string, text: string): Promise<number>;
  /** All messages, or one page of them, in order. */
  messages(session: string, options?: { readonly after?: number; readonly limit?: number }): Promise<Message[]>;
  /**
   * The session's events, past and to come, each once. Reconnects from its cursor. Ends after the event that says that
   * the session is terminated, and when the signal is aborted.
   */
  events(session: string, options?: EventsOptions): AsyncIterable<SessionEvent>;
  /** Lets the current message finish, and processes no other until `resume`. */
  pause(session: string): Promise<SessionView>;
  resume(session: string): Promise<SessionView>;
  /** Cancels a message, or the one that is processed now, or the start of the sandbox. @returns whether there was one */
  cancel(session: string, message?: number): Promise<boolean>;
  /** Queues a message again that failed, was cancelled or interrupted. */
  retry(session: string, message: number): Promise<void>;
  /** @returns the snapshot's id */
  snapshot(session: string): Promise<string>;
  /** Terminates the session and its sandbox. Succeeds if it is terminated. */
  stop(session: string): Promise<SessionView>;
  /** The work since the declared branch as a unified diff, cut above 1 MB. */
  diff(session: string): Promise<string>;
  /** The work as a git bundle, in base64. */
  bundle(session: string): Promise<string>;
  /** @returns the person's bearer token for this session, which is not stored and not shown again */
  invite(session: string, request: InviteRequest): Promise<string>;
  /** Ends a person's access. */
  revoke(session: string, name: string): Promise<void>;
}

export function openSessions({ folder }: ClientOptions): SessionsClient {
  throw new SessionError("unavailable", `no session service runs here (${folder})`);
}
