import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Limits for connections to a server that have not used a login or a token, because anybody can open them. Browsers use
 * six for a host, and only a request with hundreds of cookies has headers of more than `usualBytes`.
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

/** A server's connections without a login, which are limited. */
export class WaitingConnections {
  /** The longest idle first. */
  readonly #waiting = new Map<Duplex, Waiting>();
  readonly #limits: WaitingLimits;

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

  /** A connection has used a login, and is not limited any more. */
  admitted(connection: Duplex): void {
    this.#waiting.delete(connection);
  }

  /** Closes connections that send very long headers at the same time as many others, the oldest first. */
  endLarge(): void {
    if (this.#waiting.size <= this.#limits.mostLarge) return;
    const large = [...this.#waiting.values()].filter(
      ({ connection, bytes }) => connection.bytesRead - bytes > this.#limits.usualBytes,
    );
    for (const { connection } of large.slice(0, -this.#limits.mostLarge)) connection.destroy();
  }
}

/** Limits the connections of a server, which calls `admitted` for those with a login. Node limits its headers to 16 kB. */
export function limitWaiting(server: Server): WaitingConnections {
  const waiting = new WaitingConnections();
  server.on("connection", (connection) => waiting.opened(connection));
  server.on("request", ({ socket }) => waiting.requested(socket));
  return waiting;
}
