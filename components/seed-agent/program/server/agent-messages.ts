import { type AgentRequest, agentResponse } from "../domain.ts";
import { Problem } from "./problem.ts";

/** The agent answers requests below this path. */
export const agentRoot = "/agent";

const maxHeaderLength = 4096;
const maxBodyLength = 8 * 1024 * 1024;

/** Request headers that the agent does not get: they are meant for the connection or the service, or are secret. */
const strippedHeaders = new Set([
  ...[
    "authorization",
    "cookie",
    "cookie2",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
  ],
  ...["expect", "content-length", "forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "http2-settings"],
]);
const strippedPatterns =
  /^(?:proxy-|x-forwarded-|fly-|cf-|sec-websocket-)|token|secret|password|credential|session|api-?key|-auth/;

export interface IncomingAgentRequest {
  readonly method: string;
  /** As received, not decoded: a proxy in front of the service and the agent must understand the same path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** @throws Problem if a proxy and the agent could understand the path differently */
export function toAgentRequest({ method, url, headers, body }: IncomingAgentRequest): AgentRequest {
  // The router also accepts an absolute URL, and /%61gent.
  if (!url.startsWith(agentRoot)) throw new Problem("invalid", `The path does not begin with ${agentRoot} as written.`);
  const mark = url.indexOf("?");
  const path = (mark < 0 ? url : url.slice(0, mark)).slice(agentRoot.length) || "/";
  checkPath(path);
  return {
    method,
    path,
    query: Object.fromEntries(new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1))),
    headers: agentHeaders(headers),
    body,
  };
}

function checkPath(path: string): void {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new Problem("invalid", "The path contains a % that does not begin a UTF-8 character.");
  }
  // Also rejects characters that are encoded twice, because some proxies decode once.
  if (/%(?:2e|2f|5c|00)/i.test(decoded) || /[\\\u0000-\u001f\u007f#]/.test(decoded)) {
    throw new Problem("invalid", "The path contains a control character, a backslash, a # or something encoded twice.");
  }
  if (decoded.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new Problem("invalid", "The path contains . or .. as a part.");
  }
}

function agentHeaders(headers: IncomingAgentRequest["headers"]): Record<string, string> {
  const hop = String(headers["connection"] ?? "")
    .toLowerCase()
    .split(/[\s,]+/);
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined || strippedHeaders.has(name) || strippedPatterns.test(name) || hop.includes(name))
        return [];
      return [[name, typeof value === "string" ? value : value.join(", ")]];
    }),
  );
}

/**
 * The only headers that an answer of the agent may set. So it can set no cookies of this origin, give no rights to other sites
 * (`access-control-…`), and not change the framing of the message (`content-length`).
 */
const passedHeaders = new Set([
  ...["content-type", "content-language", "content-disposition", "cache-control", "etag", "last-modified", "expires"],
  ...["vary", "allow", "retry-after", "location"],
]);

/** The agent's pages share their origin with the control endpoints, so they may run no script and send no form. */
const fixedHeaders = {
  "x-content-type-options": "nosniff",
  "content-security-policy":
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
} as const;

const mediaType = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+(?:\s*;\s*[a-z0-9-]+=(?:[a-z0-9._-]+|"[a-z0-9 ._-]+"))*$/i;

export interface OutgoingAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @throws Problem if the answer is not valid */
export function fromAgentResponse(response: unknown, path: string): OutgoingAnswer {
  const { success, data } = agentResponse.safeParse(response);
  if (!success || !Number.isInteger(data.status)) throw badAnswer("it has no valid status, headers and body");
  if (data.body.length > maxBodyLength) throw badAnswer("its body is too large");
  const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  for (const [anyCase, value] of Object.entries(data.headers)) {
    const name = anyCase.toLowerCase();
    if (!passedHeaders.has(name) || value.length > maxHeaderLength || !/^[\t\u0020-\u007e]*$/.test(value)) continue;
    if (name === "content-type" && !mediaType.test(value)) continue;
    headers[name] = name === "location" ? ownLocation(value, path) : value;
  }
  const hasBody = data.status !== 204 && data.status !== 205 && data.status !== 304;
  return { status: data.status, headers: { ...headers, ...fixedHeaders }, body: hasBody ? data.body : "" };
}

/** Adds `/agent`, which the agent's own paths don't have. */
function ownLocation(location: string, path: string): string {
  const base = "http://agent.invalid";
  const target = URL.parse(location, `${base}${path}`);
  if (target === null || target.origin !== base || target.username !== "") {
    throw badAnswer("it redirects to another site; only paths of the agent are allowed");
  }
  return `${agentRoot}${target.pathname}${target.search}${target.hash}`;
}

function badAnswer(reason: string): Problem {
  return new Problem("bad answer", `The agent's answer is not valid: ${reason}.`);
}
