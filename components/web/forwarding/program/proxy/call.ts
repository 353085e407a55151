import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import { isIP, type Socket } from "node:net";
import { type Failure, failureOf, timeoutFailure } from "./failure.ts";
import { asksToContinue } from "./raw-headers.ts";
import { isLoopback, type Route, requestHeaders, requestTrailers, upstreamPath } from "./rewrite.ts";
import type { Context } from "./types.ts";

export type { Failure };

/** How long an agent may take to say that it wants a body, in milliseconds: many never say so (RFC 9110, 10.1.1). */
const continueMs = 1000;

/** In bytes. Requests may have half of it; frameworks answer with a policy, links and tokens for all that they serve. */
const maxResponseHeaderSize = 131_072;

/** Of these nobody expects a body, so that they need not say that there is none. */
const bodiless = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

export interface Call {
  readonly route: Route;
  readonly hasBody: boolean;
  /** On a connection that may have been used before. */
  readonly isPooled: boolean;
  readonly isUpgrade: boolean;
  /** Something is put into the answer, which is therefore not to be compressed. */
  readonly isMended: boolean;
}

/** Exactly one of these is called, once, unless the browser goes away first. */
export interface Outcome {
  answered(incoming: IncomingMessage, outgoing: ClientRequest): void;
  upgraded(incoming: IncomingMessage, socket: Socket, head: Buffer): void;
  /** There is no answer. A body that has not been sent is still there to be read. */
  failed(failure: Failure): void;
}

/** Sends a request to an agent, up to the headers of its response. The agent's request ends with the browser's. */
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
    // No error tells of an agent that switches to a protocol nobody asked for.
    if (!isSettled) fail(failureOf(new Error("it ended without an answer"), outgoing, { isSending }));
  });
  outgoing.on("timeout", () => {
    // While the browser is what keeps us waiting, the agent can't answer.
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
  // Not before there is a connection: what has been read can't be sent a second time.
  onceConnected(outgoing, () => {
    if (asksToContinue(req)) continueTimer = setTimeout(sendBody, continueMs);
    else sendBody();
  });
}

function open(context: Context, req: IncomingMessage, { route, hasBody, isPooled, isUpgrade, isMended }: Call) {
  const { upstream, socketPath } = route;
  const isSecure = upstream.protocol === "https:";
  const client = { address: req.socket.remoteAddress };
  const headers = requestHeaders(req.rawHeaders, route, client, { plain: isMended });
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

/** Nobody can have a certificate for this machine's loopback, and nobody else listens there. */
function tlsOptions(host: string, { hostname }: URL): { servername: string; rejectUnauthorized: boolean } {
  // Else Node would take the Host for the server's name.
  return { servername: isIP(host) === 0 ? host : "", rejectUnauthorized: !isLoopback(hostname) };
}

function onceConnected(outgoing: ClientRequest, callback: () => void): void {
  outgoing.once("socket", (socket) => {
    if (socket.connecting) socket.once("connect", callback);
    else callback();
  });
}
