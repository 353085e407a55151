import type { Duplex } from "node:stream";
import type { Session } from "./auth/signing.ts";

/** Which sessions last used a connection: what is still open when a login ends, ends with it. */
export class Connections {
  /** By connection: the session by agent. One that comes from a front that terminates TLS may serve many. */
  readonly #open = new Map<Duplex, Map<string, Session>>();

  get count(): number {
    return this.#open.size;
  }

  /** Called for each request, so it does little for a connection that it knows. */
  note(connection: Duplex, agentId: string, session: Session): void {
    const known = this.#open.get(connection);
    if (known !== undefined) known.set(agentId, session);
    else if (!connection.destroyed) {
      this.#open.set(connection, new Map([[agentId, session]]));
      connection.once("close", () => this.#open.delete(connection));
    }
  }

  end(agentId: string): void {
    for (const [connection, sessions] of this.#open) if (sessions.has(agentId)) connection.destroy();
  }

  /** @param but the one that asked for it, and is yet to be answered */
  endSession(agentId: string, sessionId: string, but: Duplex): void {
    for (const [connection, sessions] of this.#open) {
      if (connection !== but && sessions.get(agentId)?.id === sessionId) connection.destroy();
    }
  }

  /** Event streams and WebSockets send no cookie again, and would outlive it. */
  endOver(isOver: (session: Session) => boolean): void {
    for (const [connection, sessions] of this.#open) {
      for (const session of sessions.values()) if (isOver(session)) connection.destroy();
    }
  }

  endAll(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }
}
