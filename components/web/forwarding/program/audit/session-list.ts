import * as z from "zod/mini";
import { readJsonOrNull, writePrivateFile } from "../../../../host/files.ts";
import type { Session } from "../auth/signing.ts";
import { sessionLabel, type Visitor } from "./visitor.ts";

const knownSession = z.object({
  id: z.string(),
  agentId: z.string(),
  /** Milliseconds since 1970, like all times here; undefined for a login that is older than this list. */
  since: z.optional(z.number()),
  lastSeen: z.number(),
  expiresAt: z.number(),
  /** Of the last request, or of a recent one. */
  address: z.optional(z.string()),
  userAgent: z.optional(z.string()),
});
const listFile = z.object({ version: z.literal(1), sessions: z.array(knownSession) });

type KnownSession = z.infer<typeof knownSession>;

/** Beyond this, the least recently seen are evicted. */
const mostKnown = 1000;
/** How often the list is saved and visitors are updated while sessions are in use, in milliseconds. */
const saveMs = 300_000;
const pollMs = 60_000;

/** A session, for people and scripts. Times are in ISO 8601, UTC. */
export interface SessionView {
  /** The first characters of its id, as in the logs. */
  readonly session: string;
  readonly agent: string;
  readonly since: string | undefined;
  readonly lastSeen: string;
  readonly expiresAt: string;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/**
 * A list of logins for their owner to review. It does not affect whether a login is valid, so losing it is harmless.
 */
export class SessionList {
  readonly #path: string | undefined;
  readonly #sessions = new Map<string, KnownSession>();
  #timer: NodeJS.Timeout | undefined;

  /** @param path undefined to keep it only in memory */
  constructor(path?: string) {
    this.#path = path;
    const read = path === undefined ? undefined : listFile.safeParse(tryJson(path)).data;
    for (const session of read?.sessions ?? []) this.#sessions.set(session.id, session);
  }

  begin(agentId: string, { id, expiresAt }: Session, visitor: Visitor): void {
    const now = Date.now();
    this.#add({ id, agentId, since: now, lastSeen: now, expiresAt, ...visitor });
    this.save();
  }

  /** Called for each request, so it is cheap for known sessions. */
  see(agentId: string, { id, expiresAt }: Session, visitor: () => Visitor): void {
    const now = Date.now();
    const known = this.#sessions.get(id);
    if (known === undefined) this.#add({ id, agentId, lastSeen: now, expiresAt, ...visitor() });
    else if (Math.abs(now - known.lastSeen) < pollMs) known.lastSeen = now;
    else Object.assign(known, { lastSeen: now, ...visitor() });
    this.#timer ??= setTimeout(() => this.save(), saveMs).unref();
  }

  end(id: string): void {
    this.#sessions.delete(id);
    this.save();
  }

  /** @param agentId undefined for all agents */
  endAll(agentId: string | undefined): void {
    for (const [id, session] of this.#sessions) {
      if (agentId === undefined || session.agentId === agentId) this.#sessions.delete(id);
    }
    this.save();
  }

  /** Most recently seen first. */
  list(): SessionView[] {
    this.#prune();
    const all = [...this.#sessions.values()].sort((one, other) => other.lastSeen - one.lastSeen);
    return all.map(({ id, agentId, since, lastSeen, expiresAt, address, userAgent }) => ({
      ...{ session: sessionLabel(id), agent: agentId, address, userAgent },
      since: since === undefined ? undefined : isoOf(since),
      lastSeen: isoOf(lastSeen),
      expiresAt: isoOf(expiresAt),
    }));
  }

  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#path === undefined) return;
    this.#prune();
    const content: z.infer<typeof listFile> = { version: 1, sessions: [...this.#sessions.values()] };
    try {
      writePrivateFile(this.#path, `${JSON.stringify(content)}\n`);
    } catch {
      // Kept in memory and retried at the next save.
    }
  }

  #add(session: KnownSession): void {
    this.#sessions.set(session.id, session);
    if (this.#sessions.size <= mostKnown) return;
    const oldest = [...this.#sessions.values()].reduce((one, other) => (other.lastSeen < one.lastSeen ? other : one));
    this.#sessions.delete(oldest.id);
  }

  #prune(): void {
    const now = Date.now();
    for (const [id, { expiresAt }] of this.#sessions) if (expiresAt <= now) this.#sessions.delete(id);
  }
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}

function tryJson(path: string): unknown {
  try {
    return readJsonOrNull(path);
  } catch {
    return undefined;
  }
}
