import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the range that Linux, macOS and Windows take ports of outgoing connections from, and above well-known services. */
const FIRST = 12_000;
const END = 32_000;

/**
 * A port of loopback that is free. The system's own choice would be taken from the ports of outgoing connections: before
 * a test's server listens there, a connection of a test that runs beside it may get the same one.
 */
export function freePort(): Promise<number> {
  const port = randomInt(FIRST, END);
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(freePort()) : reject(error),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}
