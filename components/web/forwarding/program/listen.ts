import type { Server } from "node:http";
import { createServer, type Server as NetServer } from "node:net";
import { upCommand } from "../../../lib/own-commands.ts";

export interface Listening {
  readonly port: number;
  /** Stops accepting connections; the caller closes the server itself. */
  close(): void;
}

/**
 * Listens on both addresses of `localhost`, because a browser may resolve it to either. Otherwise another account on this
 * machine could listen on the second one and collect logins.
 *
 * @throws if it can't listen on an address; the error says what to do
 */
export async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<Listening> {
  const listened = await listenOn(server, host, port);
  if (host !== "127.0.0.1") return { port: listened, close: () => {} };
  // Like the connections of Node's HTTP server: each side of a WebSocket ends by itself.
  const twin = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => server.emit("connection", socket));
  try {
    await listenOn(twin, "::1", listened);
  } catch (error) {
    if (error instanceof NoAddress) return { port: listened, close: () => {} };
    server.close();
    throw error;
  }
  twin.on("error", (error) => server.emit("error", error));
  return { port: listened, close: () => twin.close() };
}

/** The machine has no such address, or no IPv6. */
class NoAddress extends Error {}

/** @returns the port */
function listenOn(server: Server | NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(problem(error, host, port));
    server.once("error", fail);
    server.listen({ host, port }, () => {
      server.off("error", fail);
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : port);
    });
  });
}

function problem(error: Error, host: string, port: number): Error {
  const code = "code" in error ? error.code : undefined;
  const address = `port ${port} of ${host}`;
  const another = `set another \`port\` in [forwarding] of the fleet file, then run: ${upCommand()}`;
  if (code === "EADDRINUSE") {
    return new Error(`${address} is in use by another program; end that program, or ${another}`);
  }
  if (code === "EACCES") return new Error(`this account may not listen on ${address}; ${another}`);
  if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" || code === "ENOTFOUND") {
    return new NoAddress(
      `this machine has no address ${host}; correct \`host\` in [forwarding] of the fleet file, then run: ${upCommand()}`,
    );
  }
  return new Error(`can't listen on ${address}: ${error.message}`);
}
