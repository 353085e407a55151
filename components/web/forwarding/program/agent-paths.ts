import type { IncomingMessage } from "node:http";
import { isHostLabel } from "./addresses.ts";
import { foreignAnswer, loginFirstAnswer } from "./agent-origin.ts";
import { type AgentView, mainServerOf } from "./agents.ts";
import { type Answer, pageAnswer, redirection } from "./answers.ts";
import type { Session } from "./auth/signing.ts";
import { enterUrl, pathOn, reserved } from "./enter.ts";
import { isForeign, isForeignSocket, isFromElsewhere, isNavigation } from "./origin-check.ts";
import { enterPage } from "./pages/login.ts";
import { notFoundPage } from "./pages/notices.ts";
import { orphansFrom } from "./proxy/path-assets.ts";
import type { Decision, IncomingRequest, ServerContext } from "./server-context.ts";

/** A path of the main origin that belongs to an agent. */
export interface AgentPath {
  readonly id: string;
  /** What follows the id, including the query: empty, or starting with `/` or `?`. */
  readonly rest: string;
}

/** Reads the id from the raw path, so that neither dots nor encoded characters can change the agent. */
export function agentPathOf(url: string): AgentPath | undefined {
  const [, id, rest] = /^\/(agent-[0-9a-f]{32})((?:[/?].*)?)$/s.exec(url) ?? [];
  return id === undefined || rest === undefined ? undefined : { id, rest };
}

/** Decides on `/{agent_id}/…` and `/{agent_id}/{server}/…` of the main origin, for clients with the agent's cookie. */
export function decideAgentPath(
  context: ServerContext,
  { req, isUpgrade }: IncomingRequest,
  { id, rest }: AgentPath,
): Decision {
  const { access, addresses, agents } = context;
  const isOwn = (origin: string) => origin === addresses.main;
  if (isUpgrade ? isForeignSocket(req, isOwn) : isForeign(req, isOwn)) return foreignAnswer;
  const session = access.session(id, "main", req.headers.cookie);
  const isPage = !isUpgrade && isNavigation(req);
  // A link on another site's page does not send the cookie; a script on this page does.
  const isAsked = isPage && addresses.routing === "host" && (session !== undefined || isFromElsewhere(req));
  if (isAsked && rest.startsWith(enterPath)) return pageAnswer(200, enterPage());
  if (session === undefined) {
    if (isAsked) return pageAnswer(200, enterPage());
    return isPage ? redirection(`${addresses.main}/`) : loginFirstAnswer;
  }
  const agent = agents.find(id);
  if (agent === undefined) return pageAnswer(404, notFoundPage("/"));
  if (addresses.routing === "path" && rest === reserved) return redirection(`${addresses.main}/`);
  if (addresses.routing === "path") return inPlace(context, req, agent, session, rest);
  return redirection(onOwnOrigin(context, agent, rest).url, { status: isPlainRead(req) ? 302 : 307 });
}

const enterPath = `${reserved}enter?`;

/**
 * Where to send a browser that has proven its login, from a path of the main origin.
 *
 * @param url path and query of the page that it shows; see `enterPage`
 * @returns undefined if there is no such agent
 */
export function entered(context: ServerContext, session: Session, id: string, url: string): string | undefined {
  const path = agentPathOf(url);
  const agent = context.agents.find(id);
  if (path?.id !== id || agent === undefined) return undefined;
  const { server, url: to } = onOwnOrigin(context, agent, path.rest);
  if (!path.rest.startsWith(enterPath)) return to;
  const ticket = context.access.ticket(id, session, queryOf(path.rest).get("browser") ?? "");
  return enterUrl(context, { id, server }, ticket, to.slice(context.addresses.agent(id, server).length));
}

/** The same page on the agent's own origin, which has its own cookie. */
function onOwnOrigin(
  { addresses }: ServerContext,
  agent: AgentView,
  rest: string,
): { readonly server: string | undefined; readonly url: string } {
  if (rest.startsWith(enterPath)) {
    const query = queryOf(rest);
    const name = query.get("server");
    const server = name !== null && isHostLabel(name) ? name : undefined;
    // Anybody may have chosen this path. It must not lead to another host, or back to the main origin.
    return { server, url: pathOn(addresses.agent(agent.id, server), query.get("to") ?? "/") };
  }
  const further = furtherServer(agent, rest);
  const server = further !== undefined && isHostLabel(further.server) ? further.server : undefined;
  const path = rooted(server === undefined ? rest : (further?.rest ?? ""));
  return { server, url: addresses.agent(agent.id, server) + path };
}

function queryOf(path: string): URLSearchParams {
  return new URLSearchParams(path.slice(path.indexOf("?")));
}

function inPlace(
  { addresses }: ServerContext,
  req: IncomingMessage,
  agent: AgentView,
  session: Session,
  rest: string,
): Decision {
  const further = furtherServer(agent, rest);
  const prefix = prefixOf(agent, further);
  const path = further?.rest ?? rest;
  // Without the slash, the page's relative links would resolve one level too high.
  if (!path.startsWith("/") && isPlainRead(req)) return redirection(`${addresses.main}${prefix}/${path}`);
  const added = { frameAncestors: addresses.ownSources(agent.id) };
  const at = { agent, server: further?.server, prefix, path: rooted(path), publicOrigin: addresses.main, added };
  return { session, at: { ...at, publicAddressOf: (server) => addresses.publicAddressOf(agent.id, server) } };
}

/**
 * Where agents share an origin, an absolute link on an agent's page leads to the root of the main origin. This redirects
 * it to the agent, unless the path is one of the main origin's own.
 */
export function orphanAnswer({ addresses, agents }: ServerContext, req: IncomingMessage): Answer | undefined {
  const { url = "" } = req;
  if (addresses.routing !== "path" || mainPaths.has(url.split("?", 1)[0] ?? "")) return undefined;
  const from = agentPathOf(orphansFrom(req, addresses.main) ?? "");
  const agent = from === undefined ? undefined : agents.find(from.id);
  if (from === undefined || agent === undefined) return undefined;
  return redirection(addresses.main + prefixOf(agent, furtherServer(agent, from.rest)) + url, { status: 307 });
}

const mainPaths = new Set(["/", "/login", "/authenticate", "/logout", "/healthz"]);

function prefixOf({ id }: AgentView, further: { readonly segment: string } | undefined): string {
  return `/${id}${further === undefined ? "" : `/${further.segment}`}`;
}

/** The first segment of a path, if it names a server of the agent other than the main one. */
function furtherServer(
  { servers }: AgentView,
  rest: string,
): { server: string; segment: string; rest: string } | undefined {
  const [, segment, behind = ""] = /^\/([^/?]+)(.*)$/s.exec(rest) ?? [];
  if (segment === undefined) return undefined;
  const server = decoded(segment);
  return server !== mainServerOf(servers) && servers.includes(server) ? { server, segment, rest: behind } : undefined;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

function isPlainRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}
