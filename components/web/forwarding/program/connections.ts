import type { Duplex } from "node:stream";
import { WaitingConnections } from "../../../lib/waiting-connections.ts";
import type { Session } from "./auth/signing.ts";

/**
 * The open connections: those without a login, and the sessions that last used each of the others, so that a connection
 * is closed when its login ends.
 */
export class Connections {
  /** Those without a login. */
  readonly waiting = new WaitingConnections();
  /** Sessions by agent, for each connection. A connection from a reverse proxy may serve many. */
  readonly #open = new Map<Duplex, Map<string, Session>>();

  get count(): number {
    return this.#open.size;
  }

  /** Called for each request, so it is cheap for known connections. */
  note(connection: Duplex, agentId: string, session: Session): void {
    const known = this.#open.get(connection);
    if (known !== undefined) known.set(agentId, session);
    else if (!connection.destroyed) {
      this.waiting.admitted(connection);
      this.#open.set(connection, new Map([[agentId, session]]));
      connection.once("close", () => this.#open.delete(connection));
    }
  }

  end(agentId: string): void {
    for (const [connection, sessions] of this.#open) if (sessions.has(agentId)) connection.destroy();
  }

  /** @param except the requesting connection, which still needs its response */
  endSession(agentId: string, sessionId: string, except: Duplex): void {
    for (const [connection, sessions] of this.#open) {
      if (connection !== except && sessions.get(agentId)?.id === sessionId) connection.destroy();
    }
  }

  /** Event streams and WebSockets don't send the cookie again, so they would outlive the login. */
  endOver(isOver: (session: Session) => boolean): void {
    for (const [connection, sessions] of this.#open) {
      for (const session of sessions.values()) if (isOver(session)) connection.destroy();
    }
  }

  endAll(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }
}
