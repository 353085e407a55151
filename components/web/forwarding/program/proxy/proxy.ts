import { Agent as HttpAgent, type IncomingMessage, ServerResponse } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Agents } from "../agents.ts";
import { exchange } from "./exchange.ts";
import { sendAsset } from "./path-assets.ts";
import { type Problem, type ProblemPage, plainPage } from "./problem.ts";
import type { Context, ProxyRequest } from "./types.ts";
import { joinSockets, switchingProtocols } from "./web-socket.ts";

/** Forwards requests to agents. The caller must check access first. */
export interface Proxy {
  /** Also for `checkContinue`: the agent then decides whether the body is sent. */
  request(req: IncomingMessage, res: ServerResponse, at: ProxyRequest): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, at: ProxyRequest): void;
  /** Closes every connection to agents. */
  stop(): void;
}

export interface ProxyOptions {
  /** Timeout for an agent's response headers; 0 for none, 60 by default. */
  readonly headersTimeoutSeconds?: number | undefined;
  /** The page for a browser if an agent does not respond; a plain page by default. */
  readonly page?: (problem: Problem) => ProblemPage;
  /** Called for every request that an online agent did not answer. */
  readonly log?: (message: string) => void;
}

/**
 * Idle connections are closed before most servers would close them (5 s for Node and uvicorn), because a request on a
 * connection that the server is closing is lost.
 */
const keepMs = 4000;

export function createProxy(agents: Agents, options: ProxyOptions = {}): Proxy {
  const pool = { keepAlive: true, maxFreeSockets: 64, timeout: keepMs } as const;
  // With `Connection: close`, an agent that responds early may reset the connection before we have read the response;
  // with keep-alive, it reads the rest of the body. And each direction of a WebSocket ends separately.
  const fresh = { keepAlive: true, maxFreeSockets: 0, allowHalfOpen: true } as const;
  const context: Context = {
    agents,
    pools: { "http:": new HttpAgent(pool), "https:": new HttpsAgent(pool) },
    fresh: { "http:": new HttpAgent(fresh), "https:": new HttpsAgent(fresh) },
    headersTimeoutMs: (options.headersTimeoutSeconds ?? 60) * 1000,
    page: options.page ?? plainPage,
    log: options.log ?? (() => {}),
    live: new Set(),
  };
  return {
    request(req, res, at) {
      if (at.prefix !== "" && sendAsset(req, res, at)) return;
      exchange(context, req, res, at);
    },
    upgrade(req, socket, head, at) {
      // A client that disconnects while we look for the agent must not crash the server.
      socket.on("error", () => socket.destroy());
      if (!(socket instanceof Socket)) {
        socket.destroy();
        return;
      }
      // Until the agent accepts the upgrade, this is an ordinary request with an ordinary response.
      const res = responseOn(req, socket);
      if (req.headers.upgrade?.toLowerCase() !== "websocket") {
        res
          .writeHead(501, ["Content-Type", "text/plain; charset=utf-8"])
          .end("Only WebSocket upgrades are supported.\n");
        return;
      }
      exchange(context, req, res, at, (incoming, upstream, upstreamHead, route) => {
        res.detachSocket(socket);
        socket.write(switchingProtocols(incoming, route), "latin1");
        joinSockets({ socket, head }, { socket: upstream, head: upstreamHead }, context.live);
      });
    },
    stop() {
      for (const connection of context.live) connection.destroy();
      for (const each of [context.pools, context.fresh]) for (const pool of Object.values(each)) pool.destroy();
    },
  };
}

/** The response to a request whose connection was handed over for an upgrade. */
function responseOn(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.once("finish", () => {
    res.detachSocket(socket);
    socket.destroySoon();
  });
  return res;
}
