import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { responseHeaders } from "./rewrite-headers.ts";
import type { Route } from "./route.ts";

/** Delay before a silent peer is probed, in milliseconds. */
const probeAfterMs = 30_000;

interface Side {
  readonly socket: Socket;
  /** Data that arrived together with the headers. */
  readonly head: Buffer;
}

/** The agent's `101` response, for the browser. */
export function switchingProtocols(incoming: IncomingMessage, route: Route): string {
  const headers = [...responseHeaders(incoming.rawHeaders, route), "Connection", "Upgrade", "Upgrade", "websocket"];
  let text = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Pipes two sockets into each other until both have ended or one fails. */
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
    // Forwards the end of one direction; the other direction stays open.
    socket.pipe(to.socket);
  }
}
