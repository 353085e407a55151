import { connect } from "node:net";
import type { Reach } from "../agents.ts";

/** Timeout for a server to accept a connection, in milliseconds. */
const timeoutMs = 2000;

/**
 * Whether a server accepts connections.
 *
 * @param keepsMs how long the connection must stay open: the local end of a tunnel accepts any connection, and closes
 * it if nothing listens at the remote end
 */
export function accepts({ url, socketPath }: Reach, keepsMs = 0): Promise<boolean> {
  return new Promise((resolve) => {
    const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const socket = connect(socketPath === undefined ? { host, port } : { path: socketPath });
    const end = (is: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(is);
    };
    let timer = setTimeout(() => end(false), timeoutMs);
    socket.once("connect", () => {
      if (keepsMs === 0) return end(true);
      clearTimeout(timer);
      timer = setTimeout(() => end(true), keepsMs);
      // Without reading, the end of the connection would go unnoticed.
      socket.resume();
    });
    for (const event of ["error", "end", "close"]) socket.once(event, () => end(false));
  });
}
