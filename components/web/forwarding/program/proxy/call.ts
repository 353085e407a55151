import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import { isIP, type Socket } from "node:net";
import { type Failure, failureOf, timeoutFailure } from "./failure.ts";
import { asksToContinue } from "./raw-headers.ts";
import { requestHeaders, requestTrailers } from "./rewrite-headers.ts";
import { isLoopback } from "./rewrite-location.ts";
import { type Route, upstreamPath } from "./route.ts";
import type { Context } from "./types.ts";

export type { Failure };

/** How long to wait for an agent's `100 Continue`, in milliseconds. Many never send it (RFC 9110, 10.1.1). */
const continueMs = 1000;

/** In bytes, twice the limit for requests: frameworks send policies, links and tokens with every response. */
const maxResponseHeaderSize = 131_072;

/** Methods without an expected body, which need no `Content-Length: 0`. */
const bodiless = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

export interface Call {
  readonly route: Route;
  readonly hasBody: boolean;
  /** Whether to use a connection that may have been used before. */
  readonly isPooled: boolean;
  readonly isUpgrade: boolean;
  /** Whether the response body will be rewritten. Then it must not be compressed. */
  readonly isRewritten: boolean;
}

/** Exactly one of these is called, once, unless the browser disconnects first. */
export interface Outcome {
  answered(incoming: IncomingMessage, outgoing: ClientRequest): void;
  upgraded(incoming: IncomingMessage, socket: Socket, head: Buffer): void;
  /** There is no response. A body that has not been sent can still be read. */
  failed(failure: Failure): void;
}

/** Sends a request to an agent and reads the response headers. The agent's request is aborted with the browser's. */
export function callAgent(
  context: Context,
  req: IncomingMessage,
  res: ServerResponse,
  call: Call,
  outcome: Outcome,
): void {
  const outgoing = open(context, req, call);
  let isSettled = false;
  let isSending = false;
  let continueTimer: NodeJS.Timeout | undefined;

  const settle = (): boolean => {
    clearTimeout(continueTimer);
    const isFirst = !isSettled;
    isSettled = true;
    return isFirst;
  };
  const fail = (failure: Failure): void => {
    if (!settle()) return;
    res.off("close", abort);
    outgoing.destroy();
    outcome.failed(failure);
  };
  const abort = (): void => {
    if (!res.writableFinished) outgoing.destroy();
  };
  const sendBody = (): void => {
    if (isSending || isSettled) return;
    isSending = true;
    clearTimeout(continueTimer);
    if (asksToContinue(req)) res.writeContinue();
    req.pipe(outgoing, { end: false });
    req.once("end", () => {
      if (req.rawTrailers.length > 0) outgoing.addTrailers(requestTrailers(req.rawTrailers));
      outgoing.end();
    });
  };

  res.once("close", abort);
  outgoing.on("error", (error) => fail(failureOf(error, outgoing, { isSending })));
  outgoing.once("close", () => {
    // Node emits no error if an agent switches protocols without a request to do so.
    if (!isSettled) fail(failureOf(new Error("it ended without a response"), outgoing, { isSending }));
  });
  outgoing.on("timeout", () => {
    // While the browser is still sending, the agent can't respond.
    if (isSending && !req.complete && !outgoing.writableNeedDrain) return;
    fail(timeoutFailure(context.headersTimeoutMs));
  });
  outgoing.once("response", (incoming) => {
    if (settle()) outcome.answered(incoming, outgoing);
  });
  if (call.isUpgrade) {
    outgoing.once("upgrade", (incoming, socket, head) => {
      if (!settle()) return;
      res.off("close", abort);
      outcome.upgraded(incoming, socket, head);
    });
  }
  if (!call.hasBody) {
    outgoing.end();
    return;
  }
  outgoing.once("continue", sendBody);
  // Waits for the connection, because a body that was read can't be sent again.
  onceConnected(outgoing, () => {
    if (asksToContinue(req)) continueTimer = setTimeout(sendBody, continueMs);
    else sendBody();
  });
}

function open(context: Context, req: IncomingMessage, { route, hasBody, isPooled, isUpgrade, isRewritten }: Call) {
  const { upstream, socketPath } = route;
  const isSecure = upstream.protocol === "https:";
  const client = { address: req.socket.remoteAddress };
  const headers = requestHeaders(req.rawHeaders, route, client, { plain: isRewritten });
  if (isUpgrade) headers.push("Connection", "Upgrade", "Upgrade", "websocket");
  if (req.headers["content-length"] === undefined) {
    if (hasBody) headers.push("Transfer-Encoding", "chunked");
    else if (!bodiless.has(req.method ?? "")) headers.push("Content-Length", "0");
  }
  const host = upstream.hostname.replace(/^\[(.*)\]$/, "$1");
  return (isSecure ? https : http).request({
    agent: (isPooled ? context.pools : context.fresh)[isSecure ? "https:" : "http:"],
    ...(socketPath === undefined
      ? { host, port: upstream.port === "" ? (isSecure ? 443 : 80) : Number(upstream.port) }
      : { socketPath }),
    ...(isSecure ? tlsOptions(host, upstream) : {}),
    method: req.method ?? "GET",
    path: upstreamPath(route),
    headers,
    maxHeaderSize: maxResponseHeaderSize,
    timeout: context.headersTimeoutMs,
  });
}

/** No certificate is valid for this machine's loopback, where nobody else can intercept the connection. */
function tlsOptions(host: string, { hostname }: URL): { servername: string; rejectUnauthorized: boolean } {
  // Otherwise Node would use the Host header as the server name.
  return { servername: isIP(host) === 0 ? host : "", rejectUnauthorized: !isLoopback(hostname) };
}

function onceConnected(outgoing: ClientRequest, callback: () => void): void {
  outgoing.once("socket", (socket) => {
    if (socket.connecting) socket.once("connect", callback);
    else callback();
  });
}
