import type { IncomingMessage } from "node:http";

/** The parts of a request that are checked. */
type RequestParts = Pick<IncomingMessage, "method" | "headers">;

/**
 * Whether another site's page sent a request, other than by a followed link. Browsers report the page in Sec-Fetch-Site,
 * older ones in Origin, and no page can change either header. Other programs send neither.
 *
 * @param isOwn whether pages of an origin may send requests
 */
export function isForeign({ method, headers }: RequestParts, isOwn: (origin: string) => boolean): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  if (site === undefined || site === "none" || site === "same-origin") {
    if (origin === undefined || isOwn(origin)) return false;
    // Pages without a referrer send this for their own requests.
    return !(origin === "null" && site === "same-origin");
  }
  if (origin !== undefined) return !isOwn(origin);
  // A navigation forwarded by the agent's service worker loses its destination. `frame-ancestors` blocks frames.
  const isPage = ["document", "empty"].includes(String(headers["sec-fetch-dest"]));
  const isFollowedLink = headers["sec-fetch-mode"] === "navigate" && isPage;
  if (method === "GET" && isFollowedLink) return false;
  // Requests for images, scripts and frames have no Origin; the agent's other servers may make them.
  const source = URL.parse(headers.referer ?? "")?.origin;
  return source === undefined || !isOwn(source);
}

/**
 * A WebSocket is never a followed link, and pages can read it without CORS. So only the agent's own pages may open one.
 */
export function isForeignSocket({ headers: { origin } }: RequestParts, isOwn: (origin: string) => boolean): boolean {
  return origin !== undefined && !isOwn(origin);
}

/** Whether a browser navigates to a page, as opposed to requests from pages or other programs. */
export function isNavigation({ method, headers }: RequestParts): boolean {
  if (method !== "GET") return false;
  const mode = headers["sec-fetch-mode"];
  return mode === undefined ? /\btext\/html\b/.test(headers.accept ?? "") : mode === "navigate";
}

/** Whether the navigation began at another site, so that SameSite=Strict cookies were not sent. */
export function isFromElsewhere({ headers }: RequestParts): boolean {
  return ["cross-site", "same-site"].includes(String(headers["sec-fetch-site"]));
}

/** Whether a browser prefetches a page, which its user may never visit. */
export function isSpeculative({ headers }: RequestParts): boolean {
  const purposes = [headers["sec-purpose"], headers["purpose"], headers["x-purpose"], headers["x-moz"]];
  return purposes.some((value) => /prefetch|prerender|preview/i.test(String(value ?? "")));
}
