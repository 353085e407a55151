import type { ServerPlace } from "../addresses.ts";
import type { Added } from "./added-headers.ts";
import { entries } from "./raw-headers.ts";

/** Rewrites headers between browser and agent. Pure. */

/** An exchange as seen from both sides. */
export interface Route {
  /** The agent's server. If the URL has a path, it is prepended to every requested path. */
  readonly upstream: URL;
  /** The Unix socket to connect to, instead of the upstream's host and port. */
  readonly socketPath?: string | undefined;
  /** Proves to the agent that the request comes from us. */
  readonly secret?: string | undefined;
  /** Prefix of the public path: "" or "/<agent_id>" or "/<agent_id>/<server>". */
  readonly prefix: string;
  /** Path and query for the agent. */
  readonly path: string;
  readonly publicOrigin: string;
  readonly added?: Added | undefined;
  /** All servers of the agent. Only called for a response that redirects elsewhere. */
  readonly others?: () => readonly OtherServer[];
}

/** Another server of the same agent: where it listens, and its address in the browser. */
export interface OtherServer {
  readonly url: URL;
  readonly publicOrigin: string;
  readonly prefix: string;
}

/** These apply to a single connection, and ours to the agent is another one (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

/** With these, a response may be compressed, partial, or empty because the browser has it cached. */
const ofOtherForms = new Set([...["accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"]]);

/** Never dropped, even if Connection lists it: it delimits the body. */
const framing = "content-length";

/** Names that a browser could send back as one of ours, even if it parses a cookie without a name. */
const ourCookie = /^[\s=]*(?:__(?:host|secure|http|host-http)-)?changeling_/i;

/**
 * Request headers for the agent, without connection headers, our cookies, and headers about the client, which only we
 * may set. Host is the one that the browser requested: servers compare Origin with it, most of them only with it, and
 * build absolute links from it.
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
    if (plain && ofOtherForms.has(key)) continue;
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
      return route.prefix === "" ? value : rewritePath(value, route.prefix);
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
 * Rewrites a redirect to one of the agent's own URLs, under any name of this machine, to the public URL. Where agents
 * share an origin, this includes redirects to a path. Others stay unchanged.
 */
export function rewriteLocation(location: string, route: Route): string {
  const { upstream, prefix, path, publicOrigin } = route;
  const base = basePath(upstream);
  const isRelative = !/^[\s\0]*(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(location);
  // The browser resolves relative URLs best.
  if (isRelative && prefix === "" && base === "") return location;
  // Node reads headers as Latin-1; browsers read this one as UTF-8.
  const text = Buffer.from(location, "latin1").toString("utf8");
  const from = urlOf(base + path, upstream) ?? upstream;
  const to = urlOf(text, from);
  if (to === undefined) return location;
  if (isSameServer(to, upstream) || isSameSite(to, publicOrigin)) return publicUrl(to, base, route);
  const other = route.others?.().find(({ url }) => isSameServer(to, url));
  return other === undefined ? location : publicUrl(to, basePath(other.url), other);
}

/** @param base of the server's own paths */
function publicUrl(to: URL, base: string, { publicOrigin, prefix }: ServerPlace): string {
  const own = isWithin(to.pathname, base) ? to.pathname.slice(base.length) || "/" : to.pathname;
  return publicOrigin + rewritePath(own, prefix) + to.search + to.hash;
}

/** `5; url=…` (HTML, "shared declarative refresh steps"): its URL is rewritten like that of a redirect. */
function rewriteRefresh(value: string, route: Route): string {
  const [, before, quoted = ""] = /^(\s*[\d.]+(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?)(.+)$/is.exec(value) ?? [];
  if (before === undefined) return value;
  const [, quote = "", url = ""] = /^(["']?)(.*)$/s.exec(quoted) ?? [];
  // Text after the second quote is ignored.
  const location = (quote === "" ? url : (url.split(quote, 1)[0] ?? "")).trim();
  const rewritten = rewriteLocation(location, route);
  return rewritten === location ? value : `${before}${quote}${rewritten}${quote}`;
}

/**
 * Rewrites an agent's cookie: only for its own host, and in its own path if it shares the host.
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
    // Any other path is invalid, and the browser uses the request's.
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

/** A path as the browser sees it. An agent that uses X-Forwarded-Prefix may have added the prefix itself. */
export function rewritePath(path: string, prefix: string): string {
  return isWithin(path, agentPrefix(prefix)) ? path : prefix + path;
}

/** The common prefix of all servers of an agent: "/<agent_id>", or "" in host routing. */
export function agentPrefix(prefix: string): string {
  return prefix.split("/", 2).join("/");
}

/** The path to request from the agent. */
export function upstreamPath({ upstream, path }: Pick<Route, "upstream" | "path">): string {
  return basePath(upstream) + path;
}

function basePath(upstream: URL): string {
  return upstream.pathname.replace(/\/+$/, "");
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function isSameServer(one: URL, other: URL): boolean {
  if (one.origin === other.origin) return true;
  if (one.protocol !== other.protocol || one.port !== other.port) return false;
  return isLoopback(one.hostname) && isLoopback(other.hostname);
}

/** An agent that ignores TLS at the reverse proxy writes http. */
function isSameSite(to: URL, publicOrigin: string): boolean {
  return to.origin === publicOrigin || (to.protocol === "http:" && `https://${to.host}` === publicOrigin);
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/.test(hostname);
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

function urlOf(text: string, base: URL): URL | undefined {
  return URL.canParse(text, base.href) ? new URL(text, base) : undefined;
}
