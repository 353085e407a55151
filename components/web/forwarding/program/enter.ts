import type { IncomingMessage } from "node:http";
import { type Answer, pageAnswer, redirection, textAnswer } from "./answers.ts";
import { clearCookie, setCookie } from "./auth/cookies.ts";
import { notEnteredPage } from "./pages/login.ts";
import { loggedOutPage, logoutPage, notFoundPage } from "./pages/notices.ts";
import type { Site } from "./site.ts";

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

/** Where an agent's own origin sends a browser that is not logged in there. */
export function askUrl({ addresses }: Site, { id, server }: Place, path: string): string {
  const query = new URLSearchParams({ ...(server === undefined ? {} : { server }), to: path });
  return `${addresses.main}/${id}${reserved}enter?${query}`;
}

export function reservedAnswer(site: Site, req: IncomingMessage, place: Place): Answer {
  const url = new URL(`http://agent${req.url}`);
  if (url.pathname === `${reserved}enter` && req.method === "GET") return enter(site, req, place, url.searchParams);
  if (url.pathname === `${reserved}logout`) return logout(site, req, place);
  return pageAnswer(404, notFoundPage(`${site.addresses.main}/`));
}

/**
 * With a ticket: sets the cookie and leads here again without one. Without: leads on if the cookie was kept. So a
 * browser that keeps none sees a page that says so, instead of going round in circles.
 */
function enter(
  { access, addresses }: Site,
  req: IncomingMessage,
  { id, server }: Place,
  query: URLSearchParams,
): Answer {
  const origin = addresses.agent(id, server);
  const to = query.get("to") ?? "/";
  const session = access.redeemTicket(id, query.get("ticket") ?? "");
  if (session !== undefined) {
    const again = `${origin}${reserved}enter?${new URLSearchParams({ to })}`;
    return redirection(again, { setCookie: setCookie(access.cookie(id, "agent", session)) });
  }
  if (access.session(id, "agent", req.headers.cookie) !== undefined) return redirection(pathOn(origin, to));
  return pageAnswer(403, notEnteredPage(addresses.main, id));
}

/** GET asks, for agents to link to; POST does it. */
function logout({ access, addresses, agents, connections }: Site, req: IncomingMessage, { id }: Place): Answer {
  const home = `${addresses.main}/`;
  if (req.method !== "GET" && req.method !== "POST") return textAnswer(405, "Only GET and POST are known here.");
  const session = access.session(id, "agent", req.headers.cookie);
  // Whether the browser is logged in on the main origin is not known here.
  if (session === undefined) return redirection(home, { status: 303 });
  if (req.method === "GET") return pageAnswer(200, logoutPage(home, agents.find(id)?.name ?? id));
  access.end(session);
  connections.endSession(id, session.id, req.socket);
  return pageAnswer(200, loggedOutPage(home), clearCookie(access.cookieName(id)));
}

/** @returns the URL of a path on this very origin; that of `/` when it would lead elsewhere, or back to us */
export function pathOn(origin: string, path: string): string {
  const url = path.startsWith("/") ? URL.parse(path, origin) : null;
  if (url?.origin !== origin || url.pathname.startsWith(reserved)) return `${origin}/`;
  return `${origin}${url.pathname}${url.search}`;
}
