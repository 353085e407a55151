import { entries } from "./raw-headers.ts";
import { rewriteLocation, rewriteRefresh, rewriteScope } from "./rewrite-location.ts";
import { type Route, rewritePath } from "./route.ts";

/** Rewrites headers between browser and agent. Pure. */

/** These headers only apply to a single connection, so they are not forwarded (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

/** With these, a response may be compressed, partial, or empty because the browser has it cached. */
const notPlain = new Set([...["accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"]]);

/** Never dropped, even if Connection lists it: it delimits the body. */
const framing = "content-length";

/** Names that a browser could send back as one of ours, even if it parses a cookie without a name. */
const ourCookie = /^[\s=]*(?:__(?:host|secure|http|host-http)-)?changeling_/i;

/**
 * Request headers for the agent, without connection headers, our cookies, and headers about the client, which only we
 * may set. Host stays as the browser sent it: servers compare Origin with it, and build absolute links from it.
 *
 * @param raw alternating names and values, as received
 * @param client.address of the browser, or of a reverse proxy
 * @param plain requests the whole, uncompressed body, which will be modified
 */
export function requestHeaders(
  raw: readonly string[],
  route: Route,
  client: { readonly address: string | undefined },
  { plain = false }: { plain?: boolean } = {},
): string[] {
  const named = namedByConnection(raw);
  const [protocol = "", host = ""] = route.publicOrigin.split("://");
  const headers = ["Host", host];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = "", value = ""] = [raw[i], raw[i + 1]];
    const key = name.toLowerCase();
    if (key === "host" || isOfConnection(key, named) || isIdentity(key)) continue;
    if (plain && notPlain.has(key)) continue;
    const kept = key === "cookie" ? withoutOurCookies(value) : value;
    if (kept !== undefined) headers.push(name, kept);
  }
  if (client.address !== undefined) headers.push("X-Forwarded-For", client.address);
  headers.push("X-Forwarded-Host", host, "X-Forwarded-Proto", protocol);
  if (route.prefix !== "") headers.push("X-Forwarded-Prefix", route.prefix);
  if (route.secret !== undefined) headers.push("X-Changeling-Secret", route.secret);
  if (plain) headers.push("Accept-Encoding", "identity");
  return headers;
}

/** Request trailers for the agent, with the same restrictions as headers. */
export function requestTrailers(raw: readonly string[]): [name: string, value: string][] {
  return entries(raw).filter(([name]) => {
    const key = name.toLowerCase();
    return !hopByHop.has(key) && !isIdentity(key) && key !== "cookie" && key !== "host";
  });
}

/**
 * Headers of an agent's response for the browser.
 *
 * @param raw alternating names and values, as received
 */
export function responseHeaders(raw: readonly string[], route: Route): string[] {
  const named = namedByConnection(raw);
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = "", value = ""] = [raw[i], raw[i + 1]];
    const key = name.toLowerCase();
    if (isOfConnection(key, named)) continue;
    const kept = responseValue(key, value, route);
    if (kept !== undefined) headers.push(name, kept);
  }
  return headers;
}

/** @returns undefined for a header to drop */
function responseValue(key: string, value: string, route: Route): string | undefined {
  switch (key) {
    case "location":
    case "content-location":
      return rewriteLocation(value, route);
    case "refresh":
      return rewriteRefresh(value, route);
    case "set-cookie":
      return rewriteSetCookie(value, route.prefix);
    case "service-worker-allowed":
      // Otherwise an agent's worker could control the whole shared origin.
      return route.prefix === "" ? value : rewriteScope(value, route);
    // These apply to a whole origin, and remain in effect. The reports of NEL contain the URLs of all requests.
    case "nel":
    case "report-to":
    case "strict-transport-security":
      return route.prefix === "" ? value : undefined;
    // Alt-Svc may name ports of the agent's host that are not ours; Clear-Site-Data clears the cookies of all agents of
    // a site.
    case "alt-svc":
    case "clear-site-data":
      return undefined;
    default:
      return value;
  }
}

/**
 * Restricts an agent's cookie to its own host, and to its own path if it shares the host.
 *
 * @returns undefined for one of our names
 */
export function rewriteSetCookie(cookie: string, prefix: string): string | undefined {
  const [pair = "", ...attributes] = cookie.split(";");
  if (ourCookie.test(pair)) return undefined;
  const kept = [pair];
  for (const attribute of attributes) {
    const [name = "", ...value] = attribute.split("=");
    const key = name.trim().toLowerCase();
    if (key === "domain") continue;
    if (key !== "path" || prefix === "") {
      kept.push(attribute);
      continue;
    }
    const path = value.join("=").trim();
    // Any other path is invalid. The browser then uses the path of the request.
    if (path.startsWith("/")) kept.push(` Path=${rewritePath(path, prefix)}`);
  }
  return kept.join(";");
}

/** @returns undefined if nothing is left */
export function withoutOurCookies(header: string): string | undefined {
  if (!/changeling_/i.test(header)) return header;
  const kept = header.split(";").filter((pair) => !ourCookie.test(pair) && pair.trim() !== "");
  return kept.length === 0 ? undefined : kept.join(";").trim();
}

/** Servers that pass headers as variables (CGI, WSGI) can't distinguish underscores from hyphens. */
function isIdentity(key: string): boolean {
  const name = key.includes("_") ? key.replaceAll("_", "-") : key;
  return name.startsWith("x-forwarded-") || name.startsWith("x-changeling-") || name === "forwarded";
}

function isOfConnection(key: string, named: ReadonlySet<string> | undefined): boolean {
  return hopByHop.has(key) || (named?.has(key) === true && key !== framing);
}

function namedByConnection(raw: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = "", value = ""] = [raw[i], raw[i + 1]];
    if (name.length !== "connection".length || name.toLowerCase() !== "connection") continue;
    for (const token of value.toLowerCase().split(",")) {
      named ??= new Set();
      named.add(token.trim());
    }
  }
  return named;
}
