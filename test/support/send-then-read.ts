import { once } from "node:events";
import { connect } from "node:net";

/**
 * A client that reads nothing until it has sent its whole request, as Python's http.client does. The body is larger than what
 * the system buffers.
 *
 * @param to a port of this machine, or a Unix socket
 * @param head the request line, and headers with CRLF between them, but not the body's length
 * @returns the status of the response
 * @throws if the connection is cut off
 */
export async function sendThenRead(to: number | string, head: string): Promise<number> {
  const body = Buffer.alloc(8 * 1024 * 1024, "x");
  const socket = typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
  socket.pause();
  const cut = new Promise<never>((_, reject) => {
    socket.once("error", reject).once("close", () => reject(new Error("the connection was closed")));
  });
  // It is of interest only while the client waits.
  cut.catch(() => {});
  try {
    const sent = new Promise<void>((resolve) => {
      socket.write(`${head}\r\nHost: sandbox\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body, () => resolve());
    });
    await Promise.race([sent, cut]);
    const [response]: Buffer[] = await Promise.race([once(socket.resume(), "data"), cut]);
    return Number(/^HTTP\/1\.1 (\d+) /.exec(String(response))?.[1]);
  } finally {
    socket.destroy();
  }
}
