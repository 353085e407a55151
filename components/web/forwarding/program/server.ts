import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Log } from "../../../host/log.ts";
import { addressesOf } from "./addresses.ts";
import { decideOnAgentOrigin } from "./agent-origin.ts";
import { agentPathOf, decideAgentPath, orphanAnswer } from "./agent-paths.ts";
import type { Agents } from "./agents.ts";
import { hasBody, redirection, refuseUpgrade, send, textAnswer } from "./answers.ts";
import { Audit, type LoggedInClient } from "./audit/audit.ts";
import { metricsText } from "./audit/metrics.ts";
import type { SessionView } from "./audit/session-list.ts";
import type { Access } from "./auth/access.ts";
import type { Unsaved } from "./auth/state-file.ts";
import { TrustedProxies } from "./client-address.ts";
import type { ForwardingConfig } from "./config.ts";
import { Connections } from "./connections.ts";
import { listen } from "./listen.ts";
import { createMainPages } from "./main-pages.ts";
import { mostRead, oversizedAnswer } from "./oversized.ts";
import { cliOf } from "./pages/command.ts";
import type { Proxy as AgentProxy } from "./proxy/proxy.ts";
import type { Decision, IncomingRequest, ServerContext } from "./server-context.ts";

export interface ForwardingServerParts {
  readonly config: ForwardingConfig;
  readonly access: Access;
  readonly agents: Agents;
  readonly proxy: AgentProxy;
  readonly log: Log;
  /** By default, one that writes nothing. */
  readonly audit?: Audit;
}

export interface ForwardingServer {
  /** The origin of its pages and logins in the browser. */
  readonly url: string;
  /** The port that it listens on. */
  readonly port: number;
  /** A one-time URL that logs one browser in to the agent. */
  loginUrl(agentId: string): { readonly url: string; readonly expiresAt: Date };
  /** Ends an agent's logins and their connections; returns what could not be saved. */
  revoke(agentId: string): Unsaved | undefined;
  /** Ends all logins. */
  rotateKey(): Unsaved | undefined;
  sessions(): readonly SessionView[];
  /** In Prometheus's text format. */
  metrics(): string;
  /** Stops accepting connections and gives open ones time to end. The caller closes agents and proxy. */
  close(): Promise<void>;
}

/** Timeout in milliseconds for a request body that is not for an agent, because anybody can send one. */
const bodyTimeoutMs = 15_000;
/** How often connections whose login has ended are closed, in milliseconds. */
const endOverMs = 10_000;
/** How often connections that send very long headers are counted, in milliseconds. */
const endLargeMs = 250;
/** Grace period in milliseconds for open requests when the server stops. */
const gracePeriodMs = 2000;

/** @throws if it can't listen on its address; the error says what to do */
export async function createForwardingServer(parts: ForwardingServerParts): Promise<ForwardingServer> {
  const { config, agents, proxy, log, audit = new Audit() } = parts;
  const access: Access = {
    ...parts.access,
    end(session) {
      audit.logout(session);
      return parts.access.end(session);
    },
  };
  const server = createServer({
    maxHeaderSize: mostRead,
    headersTimeout: 15_000,
    // Node's default would let slow headers live for 30 s longer.
    connectionsCheckingInterval: 5_000,
    // Uploads to agents have no limit; `endSlowBody` limits all other bodies.
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    noDelay: true,
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
  });
  const connections = new Connections();
  // If the config says any free port, it is known once the server listens.
  let addresses = addressesOf(config, config.port);
  const context: ServerContext = {
    ...{ access, agents, connections, audit, log, cli: cliOf(config) },
    proxies: new TrustedProxies(config.trustedProxies ?? []),
    get addresses() {
      return addresses;
    },
  };
  const mainPages = await createMainPages(context);
  const failed = ({ method, url = "" }: IncomingMessage, error: unknown) => {
    const reason = error instanceof Error ? error.stack : String(error);
    log(`${method} ${url.split("?", 1)[0]} failed: ${reason}`);
  };
  const answerRequest = (req: IncomingMessage, res: ServerResponse) => {
    connections.waiting.requested(req.socket);
    const decision = decide(context, { req, isUpgrade: false });
    audit.request(req, res, clientOf(decision));
    if (decision === "main pages") answerByMainPages(mainPages, req, res);
    else if ("status" in decision) send(req, res, decision);
    else {
      connections.note(req.socket, decision.at.agent.id, decision.session);
      proxy.request(req, res, decision.at);
    }
  };
  const answerUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const decision = decide(context, { req, isUpgrade: true });
    audit.upgrade(req, socket, decision === "main pages" ? { status: 404 } : clientOrStatus(decision));
    if (decision === "main pages") refuseUpgrade(socket, textAnswer(404, ""));
    else if ("status" in decision) refuseUpgrade(socket, decision);
    else {
      connections.note(socket, decision.at.agent.id, decision.session);
      proxy.upgrade(req, socket, head, decision.at);
    }
  };
  // An error in one request must not end the server for everybody.
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    try {
      answerRequest(req, res);
    } catch (error) {
      failed(req, error);
      if (res.headersSent) res.destroy();
      else send(req, res, textAnswer(500, "The forwarding server could not do this; its log says why."));
    }
  };
  const onUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      answerUpgrade(req, socket, head);
    } catch (error) {
      failed(req, error);
      socket.destroy();
    }
  };
  server.on("connection", (socket) => connections.waiting.opened(socket));
  server.on("request", onRequest).on("checkContinue", onRequest).on("upgrade", onUpgrade);
  const listening = await listen(server, config);
  const overdue = setInterval(() => connections.endOver(access.isOver), endOverMs).unref();
  const large = setInterval(() => connections.waiting.endLarge(), endLargeMs).unref();
  const { port } = listening;
  addresses = addressesOf(config, port);
  server.on("error", (error) => log(`the server has a problem: ${error.message}`));

  return {
    url: addresses.main,
    port,
    loginUrl(agentId) {
      const { code, expiresAt } = access.mint(agentId);
      audit.minted(agentId);
      const query = new URLSearchParams({ agent_id: agentId, one_time_code: code });
      return { url: `${addresses.main}/login?${query}`, expiresAt };
    },
    revoke(agentId) {
      const unsaved = access.revoke(agentId);
      connections.end(agentId);
      audit.revoked(agentId);
      return unsaved;
    },
    rotateKey() {
      const unsaved = access.rotateKey();
      connections.endAll();
      audit.revoked(undefined);
      return unsaved;
    },
    sessions: () => audit.sessions.list(),
    metrics: () => metricsText(audit, agents.list(), connections.count),
    async close() {
      clearInterval(overdue);
      clearInterval(large);
      listening.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Event streams and WebSockets may never end by themselves.
      const timer = setTimeout(() => {
        server.closeAllConnections();
        connections.endAll();
      }, gracePeriodMs);
      await closed;
      clearTimeout(timer);
      audit.end();
    },
  };
}

function clientOf(decision: Decision | "main pages"): LoggedInClient | undefined {
  return decision === "main pages" || "status" in decision
    ? undefined
    : { agent: decision.at.agent, session: decision.session };
}

function clientOrStatus(decision: Decision): { client: LoggedInClient } | { status: number } {
  return "status" in decision
    ? { status: decision.status }
    : { client: { agent: decision.at.agent, session: decision.session } };
}

/** Decides by the Host header alone; on the main origin, also by the start of the raw path. */
function decide(context: ServerContext, incoming: IncomingRequest): Decision | "main pages" {
  const { url = "", method, headers } = incoming.req;
  const oversized = oversizedAnswer(incoming.req, context);
  if (oversized !== undefined) return oversized;
  if (!url.startsWith("/")) return textAnswer(400, "The request target must be a path.");
  const host = context.addresses.hostOf(headers.host);
  if (host?.kind === "agent") return decideOnAgentOrigin(context, incoming, host);
  if (host?.kind === "main") {
    const path = agentPathOf(url);
    return path === undefined
      ? (orphanAnswer(context, incoming.req) ?? "main pages")
      : decideAgentPath(context, incoming, path);
  }
  // Health checks may only know the IP address.
  if (host?.kind === "alias" && url === "/healthz") return "main pages";
  if (host?.kind === "alias" && method === "GET" && !incoming.isUpgrade)
    return redirection(context.addresses.main + url);
  return textAnswer(421, `This is not the address of this server: use ${context.addresses.main}/`);
}

function answerByMainPages(mainPages: RequestListener, req: IncomingMessage, res: ServerResponse): void {
  endSlowBody(req);
  // Accepts any body without a check, because the few that are read are small.
  if (req.headers.expect !== undefined) res.writeContinue();
  mainPages(req, res);
}

function endSlowBody(req: IncomingMessage): void {
  if (!hasBody(req)) return;
  const timer = setTimeout(() => req.socket.destroy(), bodyTimeoutMs).unref();
  req.once("close", () => clearTimeout(timer));
}
