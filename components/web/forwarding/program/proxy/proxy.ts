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

/** Hands requests on to agents. It lets everybody in: who may is asked before. */
export interface Proxy {
  /** Also for `checkContinue`: then the agent says whether the body is to come. */
  request(req: IncomingMessage, res: ServerResponse, at: ProxyRequest): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, at: ProxyRequest): void;
  /** Ends every connection to agents. */
  stop(): void;
}

export interface ProxyOptions {
  /** How long an agent may take until its response's headers are there; 0: for ever; 60 by default. */
  readonly headersTimeoutSeconds?: number | undefined;
  /** What a browser is shown when an agent does not answer; a plain page by default. */
  readonly page?: (problem: Problem) => ProblemPage;
  /** Told of every request that an agent which is online did not answer. */
  readonly log?: (message: string) => void;
}

/**
 * Unused connections end before most servers would end them (5 s for Node and uvicorn): a request on one that the other
 * side is just closing is lost.
 */
const keepMs = 4000;

export function createProxy(agents: Agents, options: ProxyOptions = {}): Proxy {
  const pool = { keepAlive: true, maxFreeSockets: 64, timeout: keepMs } as const;
  // Asked to keep a connection, an agent that answers early reads the rest of a body; asked to close it, it may reset it
  // before we have read the answer. And a WebSocket's end of one direction is not that of the other.
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
      // Whoever drops their connection while we look for the agent must not end the whole server.
      socket.on("error", () => socket.destroy());
      if (!(socket instanceof Socket)) {
        socket.destroy();
        return;
      }
      // Until the agent agrees, this is a request like others, and is answered like them.
      const res = responseOn(req, socket);
      if (req.headers.upgrade?.toLowerCase() !== "websocket") {
        res.writeHead(501, ["Content-Type", "text/plain; charset=utf-8"]).end("Only WebSocket upgrades go through.\n");
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

/** Answers a request whose connection has been handed over for an upgrade. */
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
