import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { withAddedHeaders } from "./added-headers.ts";
import { mendBody } from "./path-documents.ts";
import { asksToContinue, entries } from "./raw-headers.ts";
import { type Route, responseHeaders } from "./rewrite.ts";

/**
 * The agent's response, to the browser, as it comes.
 *
 * @throws when it has headers that Node takes, but does not send
 */
export function respond(
  req: IncomingMessage,
  res: ServerResponse,
  incoming: IncomingMessage,
  outgoing: ClientRequest,
  route: Route,
): void {
  const mended = mendBody(req, incoming, responseHeaders(incoming.rawHeaders, route), route.prefix);
  const headers = route.added === undefined ? mended.headers : withAddedHeaders(mended.headers, route.added);
  const body: Readable = mended.through === undefined ? incoming : incoming.pipe(mended.through);
  const trailer = incoming.headers.trailer;
  const canHaveTrailers = mended.through === undefined && isChunked(req, incoming);
  if (trailer !== undefined && canHaveTrailers) headers.push("Trailer", trailer);
  // Whoever was not told to send a body may send it or not: what comes next is unclear.
  if (asksToContinue(req) && !outgoing.writableEnded && req.readableFlowing === null) res.shouldKeepAlive = false;
  res.writeHead(incoming.statusCode ?? 502, incoming.statusMessage ?? "", headers);

  body.pipe(res, { end: false });
  // The first part of the body takes the headers along, when it came with them; a stream that has nothing to say yet must
  // not keep them back. What came has been read by then.
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
    // Half of a response must not look like all of it.
    if (!incoming.complete) res.destroy();
  });
}

/** The agent has answered without reading everything: the rest goes nowhere, so that the connection stays of use. */
function giveUpBody(req: IncomingMessage, outgoing: ClientRequest): void {
  req.unpipe(outgoing);
  req.resume();
  outgoing.destroy();
}

/** Whether the response to the browser comes in chunks, and so may have trailers. */
function isChunked(req: IncomingMessage, incoming: IncomingMessage): boolean {
  const hasBody = req.method !== "HEAD" && incoming.statusCode !== 204 && incoming.statusCode !== 304;
  return hasBody && req.httpVersionMinor > 0 && incoming.headers["transfer-encoding"] !== undefined;
}
