import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Session } from "./auth/signing.ts";

/**
 * Limits for connections that have not used a login, because anybody can open them. Browsers use six for a host, and
 * only a request with hundreds of cookies has headers of more than `usualBytes`.
 */
export interface WaitingLimits {
  readonly most: number;
  readonly usualBytes: number;
  /** How many may have sent more than `usualBytes` of a request's headers at the same time. */
  readonly mostLarge: number;
}

export const waitingLimits: WaitingLimits = { most: 256, usualBytes: 70_000, mostLarge: 16 };

interface Waiting {
  readonly connection: Socket;
  /** How many bytes it had sent at its last request. */
  readonly bytes: number;
}

/**
 * The open connections: those without a login, which are limited, and the sessions that last used each of the others, so
 * that a connection is closed when its login ends.
 */
export class Connections {
  /** The connections without a login, the longest idle first. */
  readonly #waiting = new Map<Duplex, Waiting>();
  readonly #limits: WaitingLimits;
  /** Sessions by agent, for each connection. A connection from a reverse proxy may serve many. */
  readonly #open = new Map<Duplex, Map<string, Session>>();

  constructor(limits: WaitingLimits = waitingLimits) {
    this.#limits = limits;
  }

  /** A connection has no login yet. If there are too many of them, the one that is idle longest is closed. */
  opened(connection: Socket): void {
    this.#waiting.set(connection, { connection, bytes: 0 });
    connection.once("close", () => this.#waiting.delete(connection));
    if (this.#waiting.size <= this.#limits.most) return;
    const [oldest] = this.#waiting.keys();
    oldest?.destroy();
    if (oldest !== undefined) this.#waiting.delete(oldest);
  }

  /** A request's headers were read completely. Called for each request, so it is cheap for those with a login. */
  requested(connection: Socket): void {
    if (!this.#waiting.delete(connection) || connection.destroyed) return;
    this.#waiting.set(connection, { connection, bytes: connection.bytesRead });
  }

  /** Closes connections that send very long headers at the same time as many others, the oldest first. */
  endLarge(): void {
    if (this.#waiting.size <= this.#limits.mostLarge) return;
    const large = [...this.#waiting.values()].filter(
      ({ connection, bytes }) => connection.bytesRead - bytes > this.#limits.usualBytes,
    );
    for (const { connection } of large.slice(0, -this.#limits.mostLarge)) connection.destroy();
  }

  get count(): number {
    return this.#open.size;
  }

  /** Called for each request, so it is cheap for known connections. */
  note(connection: Duplex, agentId: string, session: Session): void {
    const known = this.#open.get(connection);
    if (known !== undefined) known.set(agentId, session);
    else if (!connection.destroyed) {
      this.#waiting.delete(connection);
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
