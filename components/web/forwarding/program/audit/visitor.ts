import type { IncomingMessage } from "node:http";

/** Who asks, as far as they say it. */
export interface Visitor {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

const longestUserAgent = 300;

export function visitorOf({ socket, headers }: IncomingMessage): Visitor {
  return { address: socket.remoteAddress, userAgent: headers["user-agent"]?.slice(0, longestUserAgent) };
}

/** Names a session in logs: its cookie can't be made of it. */
export function sessionLabel(id: string): string {
  return id.slice(0, 8);
}
