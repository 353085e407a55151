import type { ServerPlace } from "../addresses.ts";
import type { Added } from "./added-headers.ts";
import { entries } from "./raw-headers.ts";

/** What becomes of headers on their way between browser and agent. Pure. */

/** How an exchange looks from both sides. */
export interface Route {
  /** The agent's server; its path, if it has one, stands before every path that is asked of it. */
  readonly upstream: URL;
  /** The Unix socket to connect to, instead of the upstream's host and port. */
  readonly socketPath?: string | undefined;
  /** By which the agent recognises us. */
  readonly secret?: string | undefined;
  /** Of the public path: "" or "/<agent_id>" or "/<agent_id>/<server>". */
  readonly prefix: string;
  /** Path and query for the agent. */
  readonly path: string;
  readonly publicOrigin: string;
  readonly added?: Added | undefined;
  /** All servers of the agent. Asked only for a response that leads elsewhere. */
  readonly others?: () => readonly OtherServer[];
}

/** Another server of the same agent: where it listens, and where the browser finds it. */
export interface OtherServer {
  readonly url: URL;
  readonly publicOrigin: string;
  readonly prefix: string;
}

/** They speak of one connection, and each side of us is another (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

/** Asked for with these, a body may come compressed, in part, or not at all as the browser has it already. */
const ofOtherForms = new Set([...["accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"]]);

/** Never dropped because Connection names it: it says where a body ends. */
const framing = "content-length";

/** The names that a browser could send back as one of ours, also where it takes a cookie without a name for it. */
const ourCookie = /^[\s=]*(?:__(?:host|secure|http|host-http)-)?changeling_/i;

/**
 * The headers of a request for the agent: without those of the connection, our cookies, and what says who the client
 * is, which is ours to say. Its Host is the one that the browser asked for: servers compare Origin with it, most of
 * them with it alone, and make absolute links of it.
 *
 * @param raw names and values in turn, as they came
 * @param client.address of the browser, or of what stands before us
 * @param plain asks for all of the body, as it is: something is put into it on the way back
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

/** What comes behind a body, for the agent: it may hold no more than the headers may. */
export function requestTrailers(raw: readonly string[]): [name: string, value: string][] {
  return entries(raw).filter(([name]) => {
    const key = name.toLowerCase();
    return !hopByHop.has(key) && !isIdentity(key) && key !== "cookie" && key !== "host";
  });
}

/**
 * The headers of an agent's response for the browser.
 *
 * @param raw names and values in turn, as they came
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

/** @returns undefined for a header that is not to get through */
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
      // Else an agent's worker could take over all of an origin that it shares.
      return route.prefix === "" ? value : rewritePath(value, route.prefix);
    // It may name ports of the agent's host, which are none of ours; and it clears the cookies of all agents of a site.
    case "alt-svc":
    case "clear-site-data":
      return undefined;
    default:
      return value;
  }
}

/**
 * A redirect to one of the agent's own URLs, under whatever name of this machine, leads to where the browser knows it;
 * where agents share an origin, so does one to a path alone. Everything else stays as it is.
 */
export function rewriteLocation(location: string, route: Route): string {
  const { upstream, prefix, path, publicOrigin } = route;
  const base = basePath(upstream);
  const isRelative = !/^[\s\0]*(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(location);
  // The browser knows best what it is relative to.
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

/** `5; url=…` (HTML, "shared declarative refresh steps"): its URL is as that of a redirect. */
function rewriteRefresh(value: string, route: Route): string {
  const [, before, quoted = ""] = /^(\s*[\d.]+(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?)(.+)$/is.exec(value) ?? [];
  if (before === undefined) return value;
  const [, quote = "", url = ""] = /^(["']?)(.*)$/s.exec(quoted) ?? [];
  // What stands behind the second quote is none of it.
  const location = (quote === "" ? url : (url.split(quote, 1)[0] ?? "")).trim();
  const rewritten = rewriteLocation(location, route);
  return rewritten === location ? value : `${before}${quote}${rewritten}${quote}`;
}

/**
 * A cookie of an agent: for its own host only, and in its own path where it shares the host.
 *
 * @returns undefined for a name that is ours
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
    // Any other is none, and the browser takes that of the request.
    if (path.startsWith("/")) kept.push(` Path=${rewritePath(path, prefix)}`);
  }
  return kept.join(";");
}

/** @returns undefined when nothing is left */
export function withoutOurCookies(header: string): string | undefined {
  if (!/changeling_/i.test(header)) return header;
  const kept = header.split(";").filter((pair) => !ourCookie.test(pair) && pair.trim() !== "");
  return kept.length === 0 ? undefined : kept.join(";").trim();
}

/** A path as the browser sees it; an agent that heeds X-Forwarded-Prefix may have put the prefix there itself. */
export function rewritePath(path: string, prefix: string): string {
  return isWithin(path, agentPrefix(prefix)) ? path : prefix + path;
}

/** What all servers of an agent have in common: "/<agent_id>", or "" in host routing. */
export function agentPrefix(prefix: string): string {
  return prefix.split("/", 2).join("/");
}

/** What is asked of the agent. */
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

/** An agent that does not know of TLS in front of us writes http. */
function isSameSite(to: URL, publicOrigin: string): boolean {
  return to.origin === publicOrigin || (to.protocol === "http:" && `https://${to.host}` === publicOrigin);
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/.test(hostname);
}

/** Servers that hand headers on as variables (CGI, WSGI) take an underscore for a hyphen. */
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
