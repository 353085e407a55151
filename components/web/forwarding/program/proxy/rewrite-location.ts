import type { PublicAddress } from "../addresses.ts";
import { basePath, isWithin, type Route, rewritePath } from "./route.ts";

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
function publicUrl(to: URL, base: string, { publicOrigin, prefix }: PublicAddress): string {
  const own = isWithin(to.pathname, base) ? to.pathname.slice(base.length) || "/" : to.pathname;
  return publicOrigin + rewritePath(own, prefix) + to.search + to.hash;
}

/** Rewrites the URL of `5; url=…` like that of a redirect (HTML, "shared declarative refresh steps"). */
export function rewriteRefresh(value: string, route: Route): string {
  const [, before, quoted = ""] = /^(\s*[\d.]+(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?)(.+)$/is.exec(value) ?? [];
  if (before === undefined) return value;
  const [, quote = "", url = ""] = /^(["']?)(.*)$/s.exec(quoted) ?? [];
  // Text after the second quote is ignored.
  const location = (quote === "" ? url : (url.split(quote, 1)[0] ?? "")).trim();
  const rewritten = rewriteLocation(location, route);
  return rewritten === location ? value : `${before}${quote}${rewritten}${quote}`;
}

/**
 * Restricts the scope of a service worker to the agent's prefix. The browser resolves it like a link, so `..` must not lead
 * out of the prefix.
 */
export function rewriteScope(scope: string, { publicOrigin, prefix, path }: Route): string | undefined {
  const base = urlOf(prefix + path, new URL(publicOrigin));
  const url = base && urlOf(scope, base);
  return url === undefined ? undefined : rewritePath(url.pathname, prefix);
}

function isSameServer(one: URL, other: URL): boolean {
  if (one.origin === other.origin) return true;
  if (one.protocol !== other.protocol || one.port !== other.port) return false;
  return isLoopback(one.hostname) && isLoopback(other.hostname);
}

/** Also with http, because an agent may not know that the reverse proxy terminates TLS. */
function isSameSite(to: URL, publicOrigin: string): boolean {
  return to.origin === publicOrigin || (to.protocol === "http:" && `https://${to.host}` === publicOrigin);
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/.test(hostname);
}

function urlOf(text: string, base: URL): URL | undefined {
  return URL.canParse(text, base.href) ? new URL(text, base) : undefined;
}
