/** The session service's worker: routes requests to the object of a session. */
import * as z from "zod/mini";
import { createRequest, personHeader, sessionId } from "../protocol.ts";
import { directoryName, type Env, fetchFromRunner } from "./env.ts";
import { answered, bodyOf } from "./http.ts";
import { RequestError } from "./queue.ts";
import { callerOf, hasToken } from "./tokens.ts";

export { Directory } from "./directory.ts";
export { RunnerLink } from "./link.ts";
export { Session } from "./session.ts";

/** The ids of existing sessions. No object is created for another id, because it would leave a file. */
const known = new Set<string>();
const mostKnown = 10_000;

export default {
  fetch: (request: Request, env: Env): Promise<Response> => answered(() => route(request, env)),
};

async function route(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url);
  const [, top, id] = url.pathname.split("/");
  if (top === "" || top === undefined)
    return Response.json({ service: "sessions", build: env.BUILD, version: env.VERSION?.id });
  if (url.pathname === "/runner" && env.RUNNER_LINK !== undefined) return await connectRunner(request, env);
  if (top !== "sessions") throw new RequestError("not_found", `there is no ${url.pathname}`);
  if (id !== undefined) {
    if (!request.headers.has("authorization"))
      throw new RequestError("unauthorized", "the request has no bearer token");
    // Sessions are created only by `POST /sessions`.
    if (url.pathname.endsWith("/create") || !(await isKnown(id, env))) {
      throw new RequestError("not_found", "there is no such session");
    }
    return await env.SESSIONS.get(env.SESSIONS.idFromName(id)).fetch(request);
  }
  await callerOf(request, env.OWNER_HASH, []);
  if (request.method === "POST") return await createSession(request, env);
  return await directory(env).fetch(`http://directory/list${url.search}`);
}

/** A runner dials in by WebSocket with its token, or the owner asks whether one is connected. */
async function connectRunner(request: Request, env: Env): Promise<Response> {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    await callerOf(request, env.OWNER_HASH, []);
    return await fetchFromRunner(env, "/status");
  }
  if (!(await hasToken(request, env.RUNNER_HASH ?? ""))) {
    throw new RequestError("unauthorized", "this is not the token of the service's runner");
  }
  return await fetchFromRunner(env, "/connect", { headers: { upgrade: "websocket" } });
}

async function createSession(request: Request, env: Env): Promise<Response> {
  const body = await bodyOf(request, createRequest);
  const reserved = await directory(env).fetch("http://directory/reserve", { method: "POST", body: body.key });
  const { id } = z.object({ id: sessionId }).parse(await reserved.json());
  return await env.SESSIONS.get(env.SESSIONS.idFromName(id)).fetch(`http://session/sessions/${id}/create`, {
    method: "POST",
    body: JSON.stringify({ ...body, id }),
    headers: identity(request.headers),
  });
}

/** The headers that identify the caller, without those of the body. */
function identity(headers: Headers): Headers {
  return new Headers([...headers].filter(([name]) => name === "authorization" || name === personHeader));
}

async function isKnown(id: string, env: Env): Promise<boolean> {
  if (known.has(id)) return true;
  if (!sessionId.safeParse(id).success) return false;
  const response = await directory(env).fetch(`http://directory/known?id=${id}`);
  const { isKnown: is } = z.object({ isKnown: z.boolean() }).parse(await response.json());
  if (is && known.size < mostKnown) known.add(id);
  return is;
}

function directory(env: Env) {
  return env.DIRECTORY.get(env.DIRECTORY.idFromName(directoryName));
}
