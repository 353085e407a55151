/**
 * Our cookies, one per agent and origin. Browsers send a cookie to every port of its host. So on `localhost` a cookie's
 * name does not reveal its agent, and the main origin's cookie is worthless without the key that its pages keep.
 */

const ours = /^(?:__(?:Host|Secure)-)?changeling_([0-9a-f]{32}|agent-[0-9a-f]{32})$/;

export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly maxAgeSeconds: number;
  /** The cookie is also sent to hosts below this one; undefined for the current host only. */
  readonly domain?: string | undefined;
  /** Whether it is sent when a user follows a link from another site; false: only for requests of this site's pages. */
  readonly isForLinks?: boolean;
}

/** Behind TLS, a prefix that prevents other hosts, or for a domain plain http, from setting the cookie. */
export function cookiePrefix(isSecure: boolean, { hasDomain }: { hasDomain: boolean }): string {
  return isSecure ? (hasDomain ? "__Secure-" : "__Host-") : "";
}

/** Whether a cookie is one of ours, which agents may neither see nor set. */
export function isOurCookie(name: string): boolean {
  return ours.test(name);
}

/** The value of a `Set-Cookie` header. */
export function setCookie({ name, value, maxAgeSeconds, domain, isForLinks = true }: Cookie): string {
  const secure = /^__(?:Host|Secure)-/.test(name) ? "; Secure" : "";
  const wide = domain === undefined ? "" : `; Domain=${domain}`;
  const sameSite = isForLinks ? "Lax" : "Strict";
  return `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; HttpOnly; SameSite=${sameSite}${secure}${wide}`;
}

export function clearCookie(name: string, domain?: string): string {
  return setCookie({ name, value: "", maxAgeSeconds: 0, domain });
}

/** All values of a name in a `Cookie` header: another origin's cookie with the same name may come before ours. */
export function cookieValues(header: string | undefined, name: string): readonly string[] {
  return valuesByName(header).get(name) ?? [];
}

/** Unique names of our cookies in a `Cookie` header, valid or not. */
export function ourCookieNames(header: string | undefined): string[] {
  return [...valuesByName(header).keys()].filter(isOurCookie);
}

/** Unique agents that our cookies in a `Cookie` header name, valid or not. */
export function cookieAgents(header: string | undefined): string[] {
  const names = ourCookieNames(header).filter((name) => name.includes("_agent-"));
  return [...new Set(names.map((name) => name.slice(name.indexOf("_agent-") + 1)))];
}

let last = { header: "", values: new Map<string, string[]>() };

/** Remembers the last header, because some pages look up the cookie of every agent that a hostile header names. */
function valuesByName(header = ""): ReadonlyMap<string, readonly string[]> {
  if (header === last.header) return last.values;
  const values = new Map<string, string[]>();
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals === -1) continue;
    const [name, value] = [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  last = { header, values };
  return values;
}
