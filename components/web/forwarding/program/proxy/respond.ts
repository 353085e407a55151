import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { withAddedHeaders } from "./added-headers.ts";
import { rewriteBody } from "./path-documents.ts";
import { asksToContinue, entries } from "./raw-headers.ts";
import { responseHeaders } from "./rewrite-headers.ts";
import type { Route } from "./route.ts";

/**
 * Streams the agent's response to the browser.
 *
 * @throws if it has a status or headers that Node can't send
 */
export function respond(
  req: IncomingMessage,
  res: ServerResponse,
  incoming: IncomingMessage,
  outgoing: ClientRequest,
  route: Route,
): void {
  const rewritten = rewriteBody(req, incoming, responseHeaders(incoming.rawHeaders, route), route.prefix);
  const headers = route.added === undefined ? rewritten.headers : withAddedHeaders(rewritten.headers, route.added);
  const body: Readable = rewritten.through === undefined ? incoming : incoming.pipe(rewritten.through);
  const trailer = incoming.headers.trailer;
  const canHaveTrailers = rewritten.through === undefined && isChunked(req, incoming);
  if (trailer !== undefined && canHaveTrailers) headers.push("Trailer", trailer);
  // A client that never got its `100 Continue` may send its body or not, so the next bytes are ambiguous.
  if (asksToContinue(req) && !outgoing.writableEnded && req.readableFlowing === null) res.shouldKeepAlive = false;
  res.writeHead(incoming.statusCode ?? 502, incoming.statusMessage ?? "", headers);

  body.pipe(res, { end: false });
  // Headers that arrive with the first part of the body are sent together with it. An idle stream must not delay its
  // headers. By the next tick, data that has arrived was read.
  process.nextTick(() => {
    if (!incoming.readableDidRead && !res.writableEnded && !res.destroyed) res.flushHeaders();
  });
  body.once("end", () => {
    if (canHaveTrailers && incoming.rawTrailers.length > 0) {
      res.addTrailers(entries(responseHeaders(incoming.rawTrailers, route)));
    }
    res.end();
    if (!outgoing.writableFinished) giveUpBody(req, outgoing);
  });
  incoming.once("close", () => {
    // The browser must notice that the response is truncated.
    if (!incoming.complete) res.destroy();
  });
}

/**
 * The agent has responded without reading the whole body. Discards the rest, so that the browser's connection can be
 * reused.
 */
function giveUpBody(req: IncomingMessage, outgoing: ClientRequest): void {
  req.unpipe(outgoing);
  req.resume();
  outgoing.destroy();
}

/** Whether the response to the browser is chunked, and so may have trailers. */
function isChunked(req: IncomingMessage, incoming: IncomingMessage): boolean {
  const hasBody = req.method !== "HEAD" && incoming.statusCode !== 204 && incoming.statusCode !== 304;
  return hasBody && req.httpVersionMinor > 0 && incoming.headers["transfer-encoding"] !== undefined;
}
