import { once } from "node:events";
import {
  type ClientRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { type Duplex, Readable } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import type { Agents, AgentView, Target } from "../../components/web/forwarding/program/agents.ts";
import { createProxy, type ProxyOptions } from "../../components/web/forwarding/program/proxy/proxy.ts";
import type { ProxyRequest } from "../../components/web/forwarding/program/proxy/types.ts";
import { portOf } from "./fault-proxy.ts";

/** An agent's server, or a proxy in front of one. */
export interface Upstream extends AsyncDisposable {
  readonly url: URL;
  /** The number of open connections to it. */
  readonly open: number;
  /** The number of connections to it so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

/** A request to an agent's server, as received. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** Names and values in turn. */
  readonly rawTrailers: readonly string[];
}

/** Serves HTTP as a test defines. */
export async function startUpstream(
  listener: RequestListener,
  onUpgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<Upstream> {
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, listener);
  if (onUpgrade !== undefined) server.on("upgrade", onUpgrade);
  return await started(server);
}

/** Handles each connection as raw bytes, for invalid responses. */
export async function startRawUpstream(talk: (socket: Socket) => void): Promise<Upstream> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    talk(socket);
  });
  return await started(server);
}

/** Sends the same response to every client after its first bytes, and ends the connection. */
export function startScripted(response: string): Promise<Upstream> {
  return startRawUpstream((socket) => socket.once("data", () => socket.end(response, "latin1")));
}

/** Responds with the request, as an `Echo` in JSON. */
export function startEcho(headers: Readonly<Record<string, string | string[]>> = {}): Promise<Upstream> {
  return startUpstream(async (req, res) => {
    const body = await textOf(req);
    const { method = "", url = "", rawHeaders, rawTrailers } = req;
    const echo: Echo = { method, url, rawHeaders, body, rawTrailers };
    res.writeHead(200, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(echo));
  });
}

/** Echoes every WebSocket message. Selects the last of the offered sub-protocols. */
export async function startWebSocketEcho(requests: IncomingMessage[] = []): Promise<Upstream> {
  const server = createServer((_req, res) => res.writeHead(426).end());
  const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered].at(-1) ?? false });
  sockets.on("connection", (socket, req) => {
    requests.push(req);
    socket.on("error", () => socket.terminate());
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return await started(server);
}

export async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export const agent: AgentView = {
  id: `agent-${"a".repeat(32)}`,
  name: "helper",
  provider: "local",
  state: "online",
  servers: ["web"],
};

/** Agents at the targets that a test defines. */
export function agentsAt(target: (id: string, server: string | undefined) => Target | undefined | Promise<Target>) {
  const failed: string[] = [];
  const agents: Agents = {
    list: () => [agent],
    find: (id) => (id === agent.id ? agent : undefined),
    target: async (id, server) => await target(id, server),
    failed: (id) => failed.push(id),
    refresh: async () => {},
    stop: () => {},
  };
  return { ...agents, failedIds: failed };
}

export function online(upstream: { readonly url: URL }): Target {
  return { kind: "online", url: upstream.url };
}

export interface Front extends Upstream {
  /** The proxy's log. */
  readonly log: readonly string[];
}

/** A server that admits everyone, and forwards everything to one agent. */
export async function startFront(
  agents: Agents,
  { prefix = "", ...options }: ProxyOptions & { readonly prefix?: string } = {},
): Promise<Front> {
  const log: string[] = [];
  const proxy = createProxy(agents, { log: (message) => log.push(message), ...options });
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 });
  const at = (req: IncomingMessage): ProxyRequest => {
    const path = (req.url ?? "/").slice(prefix.length);
    const publicOrigin = originOf(server);
    const publicAddressOf = (name: string | undefined) => ({ publicOrigin, prefix: `${prefix}/${name ?? ""}` });
    return { agent, server: undefined, prefix, path, publicOrigin, publicAddressOf };
  };
  const answer = (req: IncomingMessage, res: ServerResponse) => proxy.request(req, res, at(req));
  server.on("request", answer).on("checkContinue", answer);
  server.on("upgrade", (req, socket, head) => proxy.upgrade(req, socket, head, at(req)));
  const upstream = await started(server, () => proxy.stop());
  return Object.assign(upstream, { log });
}

/** Starts any server, on a port of its own. */
export async function started(server: Server | TcpServer, stopFirst: () => void = () => {}): Promise<Upstream> {
  const open = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections += 1;
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async (): Promise<void> => {
    stopFirst();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  };
  return {
    url: new URL(originOf(server)),
    get open() {
      return open.size;
    },
    get connections() {
      return connections;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function originOf(server: Server | TcpServer): string {
  return `${server instanceof TlsServer ? "https" : "http"}://127.0.0.1:${portOf(server)}`;
}

/** Ends it with the test. */
export async function kept<T extends Upstream>(starting: Promise<T>): Promise<T> {
  const upstream = await starting;
  onTestFinished(() => upstream.stop());
  return upstream;
}

/** A front with one agent behind it, for the duration of the test. */
export function frontOf(
  upstream: { readonly url: URL },
  options?: ProxyOptions & { readonly prefix?: string },
): Promise<Front> {
  const agents = agentsAt(() => online(upstream));
  return kept(startFront(agents, options));
}

/** A client's response, with trailers and informational responses, and its raw headers. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly rawTrailers: readonly string[];
}

/** Sends one request, on its own connection unless an agent is given. @throws if the response is cut off */
export async function ask(
  url: URL | string,
  options: RequestOptions = {},
  body?: string | Buffer | Readable,
): Promise<Reply> {
  const outgoing = request(url, { agent: false, ...options });
  if (body instanceof Readable) body.pipe(outgoing);
  else outgoing.end(body);
  const incoming = await responseTo(outgoing);
  const text = await textOf(incoming);
  const { statusCode: status = 0, headers, rawHeaders, rawTrailers } = incoming;
  return { status, headers, rawHeaders, body: text, rawTrailers };
}

/** The headers of a response; its body is still unread. */
export function responseTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
}

/** Sends raw bytes. @returns everything that comes back until the connection ends */
export async function sendRaw(url: URL, text: string): Promise<string> {
  const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true });
  socket.write(text, "latin1");
  let answer = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    answer += part;
  });
  socket.on("error", () => {});
  socket.once("end", () => socket.end());
  await once(socket, "close");
  return answer;
}
