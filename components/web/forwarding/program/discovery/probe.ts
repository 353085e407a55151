import { connect } from "node:net";

/** How long a server may take to accept a connection, in milliseconds. */
const patienceMs = 2000;

/**
 * Whether something accepts connections at a URL's host and port.
 *
 * @param keepsMs for how long the connection must stay open: the near end of a tunnel accepts any, and closes it when
 *   nothing listens at the far end
 */
export function accepts(url: URL, keepsMs = 0): Promise<boolean> {
  return new Promise((resolve) => {
    const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
    const socket = connect({ host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port });
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
