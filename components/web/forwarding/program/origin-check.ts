import type { IncomingMessage } from "node:http";

/** The checked parts of a `node:http` request. */
type Asked = Pick<IncomingMessage, "method" | "headers">;

/**
 * Whether a request comes from a foreign page, and is more than a followed link. Browsers report it in Sec-Fetch-Site,
 * older ones in Origin; pages can't change either. Other programs send neither.
 *
 * @param isOwn whether an origin may send requests
 */
export function isForeign({ method, headers }: Asked, isOwn: (origin: string) => boolean): boolean {
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
export function isForeignSocket({ headers: { origin } }: Asked, isOwn: (origin: string) => boolean): boolean {
  return origin !== undefined && !isOwn(origin);
}

/** Whether a browser navigates to a page, as opposed to requests from pages or other programs. */
export function isNavigation({ method, headers }: Asked): boolean {
  if (method !== "GET") return false;
  const mode = headers["sec-fetch-mode"];
  return mode === undefined ? /\btext\/html\b/.test(headers.accept ?? "") : mode === "navigate";
}

/** Whether the navigation began at another site, so that SameSite=Strict cookies were not sent. */
export function isFromElsewhere({ headers }: Asked): boolean {
  return ["cross-site", "same-site"].includes(String(headers["sec-fetch-site"]));
}

/** Whether a browser prefetches a page that its person may not visit. */
export function isSpeculative({ headers }: Asked): boolean {
  const told = [headers["sec-purpose"], headers["purpose"], headers["x-purpose"], headers["x-moz"]];
  return told.some((value) => /prefetch|prerender|preview/i.test(String(value ?? "")));
}
