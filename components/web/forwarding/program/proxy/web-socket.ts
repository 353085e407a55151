import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Route, responseHeaders } from "./rewrite.ts";

/** How soon a peer that vanished without a word is asked whether it is there, in milliseconds. */
const probeAfterMs = 30_000;

interface Side {
  readonly socket: Socket;
  /** What came right behind the headers. */
  readonly head: Buffer;
}

/** The agent's agreement, for the browser. */
export function switchingProtocols(incoming: IncomingMessage, route: Route): string {
  const headers = [...responseHeaders(incoming.rawHeaders, route), "Connection", "Upgrade", "Upgrade", "websocket"];
  let text = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/** What comes out of the one goes into the other, until both have ended or one fails. */
export function joinSockets(browser: Side, agent: Side, live: Set<{ destroy(): unknown }>): void {
  for (const [from, to] of [[browser, agent] as const, [agent, browser] as const]) {
    const { socket } = from;
    live.add(socket);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, probeAfterMs);
    socket.on("error", () => to.socket.destroy());
    socket.once("close", () => {
      live.delete(socket);
      to.socket.destroySoon();
    });
    if (from.head.length > 0) to.socket.write(from.head);
    // An end goes through as an end: the other direction stays.
    socket.pipe(to.socket);
  }
}
