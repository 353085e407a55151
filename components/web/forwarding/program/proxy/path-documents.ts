import type { IncomingMessage, ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { allowingScript } from "./content-security-policy.ts";
import { insertAfterHead, insertAtStart } from "./insert.ts";
import { pageScript, pageScriptHash, workerPrelude } from "./path-scripts.ts";
import { entries } from "./raw-headers.ts";

type Rewritable = "page" | "worker";

/** What an agent's response may have to be rewritten as; undefined for nothing, as always in host routing. */
export function rewritableOf(req: IncomingMessage, prefix: string): Rewritable | undefined {
  if (prefix === "" || (req.method !== "GET" && req.method !== "POST")) return undefined;
  if (req.headers["service-worker"] === "script") return "worker";
  const use = req.headers["sec-fetch-dest"];
  // Responses to scripts may be HTML fragments, which must not be changed.
  const isPage = use === undefined ? /\btext\/html\b/.test(req.headers.accept ?? "") : pageUses.has(String(use));
  return isPage ? "page" : undefined;
}

const pageUses = new Set(["document", "iframe", "frame"]);

/**
 * @param headers of the response to the browser
 * @returns the changed headers, and the transform for the body
 */
export function rewriteBody(
  req: IncomingMessage,
  incoming: IncomingMessage,
  headers: string[],
  prefix: string,
): { readonly headers: string[]; readonly through: Transform | undefined } {
  const kind = rewritableOf(req, prefix);
  const unchanged = { headers, through: undefined };
  if (kind === undefined || !isPlain(incoming)) return unchanged;
  const type = incoming.headers["content-type"] ?? "";
  if (kind === "worker") {
    if (incoming.statusCode !== 200 || !/\bjavascript\b/i.test(type)) return unchanged;
    return { headers: changed(headers, "Service-Worker"), through: insertAtStart(workerPrelude(prefix)) };
  }
  if (!/^\s*text\/html\s*(;|$)/i.test(type) || /charset\s*=\s*"?utf-?(16|32)/i.test(type)) return unchanged;
  return {
    headers: pageHeaders(changed(headers, "Sec-Fetch-Dest"), prefix),
    through: insertAfterHead(scriptElement(prefix)),
  };
}

/** Sends the page of an agent that is offline. */
export function sendPage(req: IncomingMessage, res: ServerResponse, page: string, prefix: string): void {
  res.writeHead(200, [
    ...["Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store"],
    ...["X-Changeling-State", "offline", "Content-Security-Policy", "frame-ancestors 'self'"],
  ]);
  if (req.method === "HEAD") {
    res.end();
    return;
  }
  if (prefix === "") {
    res.end(page);
    return;
  }
  const through = insertAfterHead(scriptElement(prefix));
  through.pipe(res);
  through.end(page);
}

function scriptElement(prefix: string): string {
  return `<script>${pageScript(prefix)}</script>`;
}

/** The response has a complete, uncompressed body. */
function isPlain({ headers, statusCode }: IncomingMessage): boolean {
  const encoding = headers["content-encoding"] ?? "identity";
  return encoding.toLowerCase() === "identity" && statusCode !== 206 && statusCode !== 304 && statusCode !== 204;
}

/** @param by the request header that the changed body depends on */
function changed(headers: readonly string[], by: string): string[] {
  const kept = entries(headers).filter(([name]) => !ofTheBody.has(name.toLowerCase()));
  return [...kept.flat(), "Vary", by];
}

/** These headers only apply to the agent's original body. */
const ofTheBody = new Set([
  ...["content-length", "accept-ranges", "etag", "last-modified", "content-digest", "repr-digest", "content-md5"],
]);

function pageHeaders(headers: readonly string[], prefix: string): string[] {
  return entries(headers).flatMap(([name, value]) => [
    name,
    /^content-security-policy$/i.test(name) ? allowingScript(value, pageScriptHash(prefix)) : value,
  ]);
}
