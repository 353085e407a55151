import type { IncomingMessage } from "node:http";
import type { RequestedHost } from "./addresses.ts";
import { type Answer, pageAnswer, textAnswer } from "./answers.ts";
import { askMain, reserved, reservedAnswer } from "./enter.ts";
import { isForeign, isForeignSocket, isNavigation } from "./origin-check.ts";
import { notFoundPage } from "./pages/notices.ts";
import type { Decision, IncomingRequest, ServerContext } from "./server-context.ts";

type AgentHost = Extract<RequestedHost, { kind: "agent" }>;

export const foreignAnswer = textAnswer(403, "This request comes from another site’s page.");
export const loginFirstAnswer = textAnswer(401, "Log in first.");

/** Decides on a request to an agent's own origin. All traffic of agents passes here, so keep the work per request small. */
export function decideOnAgentOrigin(
  context: ServerContext,
  { req, isUpgrade }: IncomingRequest,
  host: AgentHost,
): Decision {
  const { access, agents, addresses } = context;
  const { id, server } = host;
  const path = req.url ?? "/";
  const isOwn = (origin: string) => addresses.ownerOf(origin) === id;
  if (isUpgrade ? isForeignSocket(req, isOwn) : isForeign(req, isOwn)) return foreignAnswer;
  if (path.startsWith(reserved)) return reservedAnswer(context, req, host);
  const publicOrigin = addresses.agent(id, server);
  const { origin } = req.headers;
  // Pages without a referrer send the origin `null`, which any sandboxed page of another site has too.
  const sharedWith = origin !== publicOrigin && origin !== undefined && isOwn(origin) ? origin : undefined;
  if (sharedWith !== undefined && isPreflight(req)) return preflightAnswer(req, sharedWith);
  const session = access.session(id, "agent", req.headers.cookie);
  if (session === undefined) {
    return !isUpgrade && isNavigation(req) ? askMain(context, req, host, path) : loginFirstAnswer;
  }
  const agent = agents.find(id);
  if (agent === undefined) return pageAnswer(404, notFoundPage(`${addresses.main}/`));
  const added = { frameAncestors: addresses.ownSources(id), sharedWith };
  const at = { agent, server, prefix: "", path, publicOrigin, added };
  return { session, at: { ...at, publicAddressOf: (other) => addresses.publicAddressOf(id, other) } };
}

/** A CORS preflight request, for which browsers send no cookies. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}

/** Allows pages of the same agent's other servers, which share its login. The agent does not have to handle this. */
function preflightAnswer({ headers }: IncomingMessage, origin: string): Answer {
  const wanted = headers["access-control-request-headers"];
  return {
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": String(headers["access-control-request-method"]),
      ...(wanted === undefined ? {} : { "access-control-allow-headers": wanted }),
      "access-control-max-age": "600",
      "cache-control": "no-store",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    },
    body: "",
  };
}
