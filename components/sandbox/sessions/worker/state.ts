import type { DurableObjectState } from "cloudflare:workers";
import type { EventBody, SessionSummary } from "../protocol.ts";
import { type Change, type Entry, processing, type Queue, RequestError } from "./queue.ts";
import { type Progress, type SessionRow, Store } from "./store.ts";

export interface Commit {
  /** By default the queue does not change. */
  readonly change?: Pick<Change, "queue" | "changed" | "events"> | undefined;
  /** Published after the events of `change`. */
  readonly events?: readonly EventBody[] | undefined;
  readonly row?: Partial<SessionRow> | undefined;
  /** The idempotency key of a new message. */
  readonly key?: string | undefined;
  /** Executes further statements in the transaction. */
  readonly also?: (() => void) | undefined;
}

/** A session's state in memory. It always equals the content of its database. */
export class SessionState {
  readonly store: Store;
  readonly #storage: DurableObjectState["storage"];
  readonly #onEvents: () => void;
  #row: SessionRow | undefined;
  #queue: Queue | undefined;

  constructor(ctx: DurableObjectState, onEvents: () => void) {
    this.store = new Store(ctx);
    this.#storage = ctx.storage;
    this.#onEvents = onEvents;
    if (!this.store.exists()) return;
    this.#row = this.store.session();
    if (this.#row === undefined) return;
    const { status, messages, places, limits, used } = this.#row;
    this.#queue = { status, open: this.store.open(), messages, places, limits, used };
    const current = processing(this.#queue);
    if (current !== undefined && this.#row.progress === undefined) {
      this.#row = { ...this.#row, progress: this.store.earlierProgress(current) };
    }
  }

  get exists(): boolean {
    return this.#row !== undefined;
  }

  /** @throws RequestError if there is no session */
  get row(): SessionRow {
    if (this.#row === undefined) throw new RequestError("not_found", "there is no such session");
    return this.#row;
  }

  /** @throws RequestError if there is no session */
  get queue(): Queue {
    if (this.#queue === undefined) throw new RequestError("not_found", "there is no such session");
    return this.#queue;
  }

  /** How much of an attempt is stored. */
  progressOf({ id: message, attempt }: Pick<Entry, "id" | "attempt">): Progress {
    const { progress } = this.row;
    if (progress?.message === message && progress.attempt === attempt) return progress;
    return { message, attempt, seen: 0, length: 0, costUsd: 0 };
  }

  get summary(): SessionSummary {
    const { id, changeling, title, status, isAsleep, createdAt, updatedAt } = this.row;
    return { id, changeling, status, isAsleep, createdAt, updatedAt, ...(title === undefined ? {} : { title }) };
  }

  create(row: SessionRow, queue: Queue, created: EventBody): void {
    this.#storage.transactionSync(() => {
      this.store.create();
      this.store.saveSession(row);
      this.store.append(row.createdAt, created);
    });
    this.#row = row;
    this.#queue = queue;
    this.#onEvents();
  }

  /** Stores everything in one transaction, then has the events sent. */
  commit({ change, events = [], row: changes, key, also = () => {} }: Commit): void {
    const queue = change?.queue ?? this.queue;
    const { status, messages, places, used } = queue;
    const row: SessionRow = { ...this.row, ...changes, status, messages, places, used };
    const published = [...(change?.events ?? []), ...events];
    const at = now();
    try {
      this.#storage.transactionSync(() => {
        for (const entry of change?.changed ?? []) this.store.saveEntry(entry, key);
        for (const event of published) this.store.append(at, event);
        also();
        this.store.saveSession(row);
      });
    } catch (error) {
      this.store.forgetLast();
      throw error;
    }
    this.#row = row;
    this.#queue = queue;
    if (published.length > 0) this.#onEvents();
  }

  /** Commits a change that the directory must show: another status at once, `updatedAt` soon. */
  commitVisibly(commit: Commit): void {
    const isReported = this.row.isReported && (commit.change?.queue.status ?? this.row.status) === this.row.status;
    this.commit({ ...commit, row: { updatedAt: now(), isReported, ...commit.row } });
  }

  keyOf({ id, attempt }: Pick<Entry, "id" | "attempt">): string {
    return `${this.row.id}-${id}-${attempt}`;
  }

  get startKey(): string {
    return `${this.row.id}-start`;
  }
}

export function now(): string {
  return new Date().toISOString();
}
