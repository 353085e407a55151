import type { ClientRequest, IncomingMessage } from "node:http";

/**
 * Sends the body of a request on. If the server fails or responds early, the rest is read and dropped: some clients read
 * the response only after they have sent the whole body, and unread bytes make the system reset a connection that is closed.
 */
export function sendBody(incoming: IncomingMessage, outgoing: ClientRequest): void {
  incoming.on("error", () => outgoing.destroy()).pipe(outgoing);
  // After `pipe`, which pauses the body when its destination closes.
  outgoing.once("close", () => incoming.resume());
}
