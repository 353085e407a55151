import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Answer, pageAnswer, redirection, textAnswer } from "./answers.ts";
import { type Cookie, cookiePrefix, cookieValues, setCookie } from "./auth/cookies.ts";
import type { Session } from "./auth/signing.ts";
import { notEnteredPage } from "./pages/login.ts";
import { notFoundPage } from "./pages/notices.ts";
import type { Site } from "./site.ts";

/**
 * How a login comes from the main origin to an agent's own. The agent's pages and workers see every address there, so a
 * ticket in an address is good for the one browser alone that has the cookie which was set before:
 *
 * 1. the agent's origin sets a random cookie that no script reads, and leads to the main origin with its digest;
 * 2. the main origin's page shows the login's key, which only it can read, and gets a ticket for that digest. It keeps
 *    the first digest, so that no page of the agent can have a ticket made for another browser;
 * 3. the agent's origin takes the ticket, with the cookie, for a cookie of the login.
 */

/** The paths that are ours on each agent's own origin; the agent never sees them. */
export const reserved = "/__changelings/";

interface Place {
  readonly id: string;
  readonly server: string | undefined;
}

/** Where the main origin sends a browser that is logged in there, for it to be logged in at the agent's own. */
export function enterUrl({ addresses }: Site, { id, server }: Place, ticket: string, path: string): string {
  return `${addresses.agent(id, server)}${reserved}enter?${new URLSearchParams({ ticket, to: path })}`;
}

/** Sends a browser that is not logged in on an agent's own origin to the main one. */
export function askMain(site: Site, req: IncomingMessage, { id, server }: Place, path: string): Answer {
  const { addresses } = site;
  const known = browserMarks(site, req);
  const mark = known.length === 1 && known[0] !== undefined ? known[0] : randomBytes(32).toString("base64url");
  const asked = { ...(server === undefined ? {} : { server }), to: path, browser: digest(mark) };
  return redirection(`${addresses.main}/${id}${reserved}enter?${new URLSearchParams(asked)}`, {
    setCookie: setCookie(browserCookie(site, id, mark)),
  });
}

/** As long as browsers keep a cookie. */
const browserMarkSeconds = 400 * 24 * 3600;

function browserCookie(site: Site, id: string, value: string): Cookie {
  const domain = site.addresses.agentDomain(id);
  return { name: browserCookieName(site), value, maxAgeSeconds: browserMarkSeconds, domain };
}

function browserCookieName({ addresses }: Site): string {
  return `${cookiePrefix(addresses.isSecure, { hasDomain: true })}changeling_browser`;
}

/** A script of the agent may have put another one beside ours. */
function browserMarks(site: Site, req: IncomingMessage): string[] {
  return cookieValues(req.headers.cookie, browserCookieName(site)).filter((value) => /^[\w-]{43}$/.test(value));
}

function digest(mark: string): string {
  return createHash("sha256").update(mark).digest("base64url");
}

export function reservedAnswer(site: Site, req: IncomingMessage, place: Place): Answer {
  const url = new URL(`http://agent${req.url}`);
  if (url.pathname === `${reserved}enter` && req.method === "GET") return enter(site, req, place, url.searchParams);
  if (url.pathname === `${reserved}logout`) return logout(site, req, place);
  // For agents' pages to link to: they don't know the main origin.
  if (url.pathname === reserved) return redirection(`${site.addresses.main}/`);
  return pageAnswer(404, notFoundPage(`${site.addresses.main}/`));
}

/**
 * With a ticket: sets the cookie and leads here again without one. Without: leads on if the cookie was kept. So a
 * browser that keeps none sees a page that says so, instead of going round in circles.
 */
function enter(site: Site, req: IncomingMessage, { id, server }: Place, query: URLSearchParams): Answer {
  const { access, addresses } = site;
  const origin = addresses.agent(id, server);
  const to = query.get("to") ?? "/";
  const session = access.redeemTicket(id, query.get("ticket") ?? "", browserMarks(site, req).map(digest));
  if (session !== undefined) {
    const again = `${origin}${reserved}enter?${new URLSearchParams({ to })}`;
    return redirection(again, { setCookie: setCookie(agentCookie(site, id, session)) });
  }
  if (access.session(id, "agent", req.headers.cookie) !== undefined) return redirection(pathOn(origin, to));
  return pageAnswer(403, notEnteredPage(addresses.main, id));
}

/** One login is for all servers of the agent, each of which has a host below the agent's. */
function agentCookie({ access, addresses }: Site, id: string, session: Session): Cookie {
  return access.cookie(id, "agent", session, addresses.agentDomain(id));
}

/**
 * For agents to link to. The main origin asks and does it: what is shown here may be made by a worker of the agent,
 * which would keep the login.
 */
function logout({ addresses }: Site, req: IncomingMessage, { id }: Place): Answer {
  if (req.method !== "GET" && req.method !== "POST") return textAnswer(405, "Only GET and POST are known here.");
  return redirection(`${addresses.main}/logout?${new URLSearchParams({ agent_id: id })}`, { status: 303 });
}

/** @returns the URL of a path on this very origin; that of `/` when it would lead elsewhere, or back to us */
export function pathOn(origin: string, path: string): string {
  const url = path.startsWith("/") ? URL.parse(path, origin) : null;
  if (url?.origin !== origin || url.pathname.startsWith(reserved)) return `${origin}/`;
  return `${origin}${url.pathname}${url.search}`;
}
