import type { Place } from "./addresses.ts";
import { pageAnswer, textAnswer } from "./answers.ts";
import { askMain, reserved, reservedAnswer } from "./enter.ts";
import { isForeign, isForeignSocket, isNavigation } from "./origin-check.ts";
import { notFoundPage } from "./pages/notices.ts";
import type { Asked, Decision, Site } from "./site.ts";

type AgentPlace = Extract<Place, { kind: "agent" }>;

export const foreignAnswer = textAnswer(403, "This request comes from another site’s page.");
export const loginFirstAnswer = textAnswer(401, "Log in first.");

/** A request on an agent's own origin. All of its traffic comes this way, so little is done here for each. */
export function decideOnAgentOrigin(site: Site, { req, isUpgrade }: Asked, place: AgentPlace): Decision {
  const { access, agents, addresses } = site;
  const { id, server } = place;
  const path = req.url ?? "/";
  const isOwn = (origin: string) => addresses.ownerOf(origin) === id;
  if (isUpgrade ? isForeignSocket(req, isOwn) : isForeign(req, isOwn)) return foreignAnswer;
  if (path.startsWith(reserved)) return reservedAnswer(site, req, place);
  const session = access.session(id, "agent", req.headers.cookie);
  if (session === undefined) {
    return !isUpgrade && isNavigation(req) ? askMain(site, req, place, path) : loginFirstAnswer;
  }
  const agent = agents.find(id);
  if (agent === undefined) return pageAnswer(404, notFoundPage(`${addresses.main}/`));
  const at = { agent, server, prefix: "", path, publicOrigin: addresses.agent(id, server) };
  return { session, at: { ...at, placeOf: (other) => addresses.placeOfServer(id, other) } };
}
