/**
 * Our cookies, one per agent and origin. Browsers send a cookie to every port of its host: so on `localhost` its name does
 * not tell which agent it is for, and the one of the main origin is worth nothing without the key that its pages keep.
 */

const ours = /^(?:__(?:Host|Secure)-)?changeling_([0-9a-f]{32}|agent-[0-9a-f]{32})$/;

export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly maxAgeSeconds: number;
  /** Hosts below this one get it too; undefined: this host alone. */
  readonly domain?: string | undefined;
  /** Whether it comes along when another site's page leads here; false: for the pages of this site alone. */
  readonly isForLinks?: boolean;
}

/** Behind TLS with a prefix that no other host can set, or for a domain, none over plain text. */
export function cookiePrefix(isSecure: boolean, { hasDomain }: { hasDomain: boolean }): string {
  return isSecure ? (hasDomain ? "__Secure-" : "__Host-") : "";
}

/** Whether a cookie is one of ours: no agent is to see it, or to set it. */
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

/** All values that a `Cookie` header has for a name: another origin's cookie of the same name may stand before ours. */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (header === undefined || !header.includes(name)) return [];
  return pairs(header).flatMap((pair) => (pair.name === name ? [pair.value] : []));
}

/** The names of the cookies of ours in a `Cookie` header, valid or not, each once. */
export function ourCookieNames(header: string | undefined): string[] {
  return [...new Set(pairs(header ?? "").flatMap(({ name }) => (isOurCookie(name) ? [name] : [])))];
}

/** The agents for which a `Cookie` header has a cookie of ours whose name tells, valid or not, each once. */
export function cookieAgents(header: string | undefined): string[] {
  const names = ourCookieNames(header).filter((name) => name.includes("_agent-"));
  return [...new Set(names.map((name) => name.slice(name.indexOf("_agent-") + 1)))];
}

function pairs(header: string): { name: string; value: string }[] {
  return header.split(";").flatMap((pair) => {
    const equals = pair.indexOf("=");
    return equals === -1 ? [] : [{ name: pair.slice(0, equals).trim(), value: pair.slice(equals + 1).trim() }];
  });
}
