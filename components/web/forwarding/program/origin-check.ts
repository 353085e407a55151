import type { IncomingMessage } from "node:http";

/** What is looked at: a request of `node:http`, or as much of one. */
type Asked = Pick<IncomingMessage, "method" | "headers">;

/**
 * Whether a request comes from a page of somebody else's, and is more than a person's following of a link. Browsers
 * say so by Sec-Fetch-Site, older ones by Origin; a page can't change either. Other programs send neither.
 *
 * @param isOwn whether an origin is one that may ask
 */
export function isForeign({ method, headers }: Asked, isOwn: (origin: string) => boolean): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  if (site === undefined || site === "none" || site === "same-origin") {
    if (origin === undefined || isOwn(origin)) return false;
    // What a page without a referrer writes for itself.
    return !(origin === "null" && site === "same-origin");
  }
  if (origin !== undefined) return !isOwn(origin);
  // One that a service worker of the agent passes on has lost what it is for; frames are refused by `frame-ancestors`.
  const isPage = ["document", "empty"].includes(String(headers["sec-fetch-dest"]));
  const isFollowedLink = headers["sec-fetch-mode"] === "navigate" && isPage;
  if (method === "GET" && isFollowedLink) return false;
  // Pictures, scripts and frames have no Origin; another server of the same agent may use them.
  const source = URL.parse(headers.referer ?? "")?.origin;
  return source === undefined || !isOwn(source);
}

/** A WebSocket is never followed as a link, and needs no permission to be read: only the agent's own pages open one. */
export function isForeignSocket({ headers: { origin } }: Asked, isOwn: (origin: string) => boolean): boolean {
  return origin !== undefined && !isOwn(origin);
}

/** A browser that goes to a page, as opposed to a page's own requests and to other programs. */
export function isNavigation({ method, headers }: Asked): boolean {
  if (method !== "GET") return false;
  const mode = headers["sec-fetch-mode"];
  return mode === undefined ? /\btext\/html\b/.test(headers.accept ?? "") : mode === "navigate";
}

/** Whether the way to here began at another site, so that cookies which are for this site's pages alone stay behind. */
export function isFromElsewhere({ headers }: Asked): boolean {
  return ["cross-site", "same-site"].includes(String(headers["sec-fetch-site"]));
}

/** A browser that fetches ahead of what its person may do. */
export function isSpeculative({ headers }: Asked): boolean {
  const told = [headers["sec-purpose"], headers["purpose"], headers["x-purpose"], headers["x-moz"]];
  return told.some((value) => /prefetch|prerender|preview/i.test(String(value ?? "")));
}
