/** Our cookies: `changeling_<agent id>`, one per agent and origin; behind TLS with a prefix that no other host can set. */

const ours = /^(__Host-)?changeling_agent-[0-9a-f]{32}$/;

export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly maxAgeSeconds: number;
}

export function cookieName(agentId: string, isSecure: boolean): string {
  return `${isSecure ? "__Host-" : ""}changeling_${agentId}`;
}

/** Whether a cookie is one of ours: no agent is to see it, or to set it. */
export function isOurCookie(name: string): boolean {
  return ours.test(name);
}

/** The value of a `Set-Cookie` header. */
export function setCookie({ name, value, maxAgeSeconds }: Cookie): string {
  const secure = name.startsWith("__Host-") ? "; Secure" : "";
  return `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; HttpOnly; SameSite=Lax${secure}`;
}

export function clearCookie(name: string): string {
  return setCookie({ name, value: "", maxAgeSeconds: 0 });
}

/** All values that a `Cookie` header has for a name: another origin's cookie of the same name may stand before ours. */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (header === undefined || !header.includes(name)) return [];
  return pairs(header).flatMap((pair) => (pair.name === name ? [pair.value] : []));
}

/** The agents for which a `Cookie` header has a cookie of ours, valid or not, each once. */
export function cookieAgents(header: string | undefined): string[] {
  const names = pairs(header ?? "").filter(({ name }) => isOurCookie(name));
  return [...new Set(names.map(({ name }) => name.slice(name.indexOf("_agent-") + 1)))];
}

function pairs(header: string): { name: string; value: string }[] {
  return header.split(";").flatMap((pair) => {
    const equals = pair.indexOf("=");
    return equals === -1 ? [] : [{ name: pair.slice(0, equals).trim(), value: pair.slice(equals + 1).trim() }];
  });
}
