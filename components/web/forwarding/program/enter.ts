import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Answer, pageAnswer, redirection, textAnswer } from "./answers.ts";
import { type Cookie, cookiePrefix, cookieValues, setCookie } from "./auth/cookies.ts";
import type { Session } from "./auth/signing.ts";
import { notEnteredPage } from "./pages/login.ts";
import { notFoundPage } from "./pages/notices.ts";
import type { ServerContext } from "./server-context.ts";

/**
 * How a login is transferred from the main origin to an agent's own. The agent's pages and workers see every URL there,
 * so a ticket in a URL only works for a browser that has a cookie which was set before:
 *
 * 1. The agent's origin sets a random cookie that no script can read, and redirects to the main origin with its digest.
 * 2. The main origin's page shows the login's key, which only it can read, and gets a ticket for that digest. It keeps
 * the first digest, so that no page of the agent can get a ticket for another browser.
 * 3. The agent's origin exchanges the ticket, together with the cookie, for a cookie of the login.
 */

/** Reserved paths on each agent's own origin, which the agent never sees. */
export const reserved = "/__changelings/";

interface AgentServer {
  readonly id: string;
  readonly server: string | undefined;
}

/** The URL on the agent's own origin to which the main origin sends a logged-in browser. */
export function enterUrl(
  { addresses }: ServerContext,
  { id, server }: AgentServer,
  ticket: string,
  path: string,
): string {
  return `${addresses.agent(id, server)}${reserved}enter?${new URLSearchParams({ ticket, to: path })}`;
}

/** Redirects a browser that is not logged in on an agent's own origin to the main one. */
export function askMain(
  context: ServerContext,
  req: IncomingMessage,
  { id, server }: AgentServer,
  path: string,
): Answer {
  const { addresses } = context;
  const known = browserMarks(context, req);
  const mark = known.length === 1 && known[0] !== undefined ? known[0] : randomBytes(32).toString("base64url");
  const asked = { ...(server === undefined ? {} : { server }), to: path, browser: digest(mark) };
  return redirection(`${addresses.main}/${id}${reserved}enter?${new URLSearchParams(asked)}`, {
    setCookie: setCookie(browserCookie(context, id, mark)),
  });
}

/** Browsers keep no cookie longer than this. */
const browserMarkSeconds = 400 * 24 * 3600;

function browserCookie(context: ServerContext, id: string, value: string): Cookie {
  const domain = context.addresses.agentDomain(id);
  return { name: browserCookieName(context), value, maxAgeSeconds: browserMarkSeconds, domain };
}

function browserCookieName({ addresses }: ServerContext): string {
  return `${cookiePrefix(addresses.isSecure, { hasDomain: true })}changeling_browser`;
}

/** All values, because the agent's scripts may have added another cookie beside ours. */
function browserMarks(context: ServerContext, req: IncomingMessage): string[] {
  return cookieValues(req.headers.cookie, browserCookieName(context)).filter((value) => /^[\w-]{43}$/.test(value));
}

function digest(mark: string): string {
  return createHash("sha256").update(mark).digest("base64url");
}

export function reservedAnswer(context: ServerContext, req: IncomingMessage, server: AgentServer): Answer {
  const url = new URL(`http://agent${req.url}`);
  if (url.pathname === `${reserved}enter` && req.method === "GET") return enter(context, req, server, url.searchParams);
  if (url.pathname === `${reserved}logout`) return logout(context, req, server);
  // Agents' pages can link here, because they don't know the main origin.
  if (url.pathname === reserved) return redirection(`${context.addresses.main}/`);
  return pageAnswer(404, notFoundPage(`${context.addresses.main}/`));
}

/**
 * With a ticket, sets the cookie and redirects here without the ticket. Without one, continues if the browser kept the
 * cookie. So a browser that rejects cookies gets an explanation instead of a redirect loop.
 */
function enter(
  context: ServerContext,
  req: IncomingMessage,
  { id, server }: AgentServer,
  query: URLSearchParams,
): Answer {
  const { access, addresses } = context;
  const origin = addresses.agent(id, server);
  const to = query.get("to") ?? "/";
  const session = access.redeemTicket(id, query.get("ticket") ?? "", browserMarks(context, req).map(digest));
  if (session !== undefined) {
    const again = `${origin}${reserved}enter?${new URLSearchParams({ to })}`;
    return redirection(again, { setCookie: setCookie(agentCookie(context, id, session)) });
  }
  if (access.session(id, "agent", req.headers.cookie) !== undefined) return redirection(pathOn(origin, to));
  return pageAnswer(403, notEnteredPage(addresses.main, id));
}

/** For all servers of the agent: their hosts are below the agent's. */
function agentCookie({ access, addresses }: ServerContext, id: string, session: Session): Cookie {
  return access.cookie(id, "agent", session, addresses.agentDomain(id));
}

/**
 * Agents' pages can link here. The main origin asks for confirmation and logs out, because a worker of the agent could
 * fake this page and keep the login.
 */
function logout({ addresses }: ServerContext, req: IncomingMessage, { id }: AgentServer): Answer {
  if (req.method !== "GET" && req.method !== "POST") return textAnswer(405, "Only GET and POST are allowed here.");
  return redirection(`${addresses.main}/logout?${new URLSearchParams({ agent_id: id })}`, { status: 303 });
}

/** @returns the URL of a path on this origin; the URL of `/` if the path would lead elsewhere, or back here */
export function pathOn(origin: string, path: string): string {
  const url = path.startsWith("/") ? URL.parse(path, origin) : null;
  if (url?.origin !== origin || url.pathname.startsWith(reserved)) return `${origin}/`;
  return `${origin}${url.pathname}${url.search}`;
}
