import { createHash, randomBytes } from "node:crypto";
import type { Session } from "./signing.ts";

const ttlMs = 30_000;
/** Beyond this, the oldest are evicted. */
const mostTickets = 1000;

interface Ticket {
  readonly agentId: string;
  readonly boundTo: string;
  readonly session: Session;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * One-time tickets, each valid for 30 s and bound to one browser. A ticket carries a login from the main origin to the
 * agent's own. They are only kept in memory.
 */
export class Tickets {
  readonly #now: () => number;
  /** By SHA-256 of the ticket, oldest first. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param boundTo digest of the cookie that must accompany the ticket; see `enter.ts` */
  issue(agentId: string, session: Session, boundTo: string): string {
    const ticket = randomBytes(32).toString("base64url");
    this.#tickets.set(digest(ticket), { agentId, session, boundTo, expiresAt: this.#now() + ttlMs });
    for (const [key, { expiresAt }] of this.#tickets) {
      if (expiresAt > this.#now() && this.#tickets.size <= mostTickets) break;
      this.#tickets.delete(key);
    }
    return ticket;
  }

  redeem(agentId: string, ticket: string, boundTo: readonly string[]): Session | undefined {
    const key = digest(ticket);
    const found = this.#tickets.get(key);
    if (found?.agentId !== agentId || !boundTo.includes(found.boundTo)) return undefined;
    this.#tickets.delete(key);
    return found.expiresAt > this.#now() ? found.session : undefined;
  }

  /** @param agentId undefined for all agents */
  drop(agentId: string | undefined): void {
    for (const [key, ticket] of this.#tickets) {
      if (agentId === undefined || ticket.agentId === agentId) this.#tickets.delete(key);
    }
  }
}

function digest(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}
