import { connect } from "node:net";
import type { Reach } from "../agents.ts";

/** How long a server may take to accept a connection, in milliseconds. */
const patienceMs = 2000;

/**
 * Whether something accepts connections where a server is reached.
 *
 * @param keepsMs for how long the connection must stay open: the near end of a tunnel accepts any, and closes it when
 *   nothing listens at the far end
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
    let timer = setTimeout(() => end(false), patienceMs);
    socket.once("connect", () => {
      if (keepsMs === 0) return end(true);
      clearTimeout(timer);
      timer = setTimeout(() => end(true), keepsMs);
      // Without a reader its end would go unseen.
      socket.resume();
    });
    for (const event of ["error", "end", "close"]) socket.once(event, () => end(false));
  });
}
