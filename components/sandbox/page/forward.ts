import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { personHeader, type ServiceFile } from "../sessions/protocol.ts";

/**
 * The requests that the page makes. A login is for these alone: it can't invite people, or take what a sandbox contains
 * out of it.
 */
const allowed: readonly (readonly [method: string, path: RegExp])[] = [
  ["GET", /^\/sessions$/],
  ["GET", /^\/sessions\/[0-9a-f]{20}(\/(messages|events|diff))?$/],
  ["POST", /^\/sessions\/[0-9a-f]{20}\/(messages|cancel|retry|pause|resume|stop)$/],
];

export function isAllowed(method: string, path: string): boolean {
  return allowed.some(([each, form]) => each === method && form.test(path));
}

/** @property person who acts, if the token is the installation's */
export interface As {
  readonly token: string;
  readonly person?: string | undefined;
}

/** Headers of the browser's that the service gets. */
const passed = ["accept", "content-type", "content-length", "transfer-encoding", "last-event-id"] as const;

/**
 * Sends a request to the session service, and its response to the browser. Calls `onUnreachable` if there is none.
 *
 * @param path with its query
 */
export function forward(
  service: Pick<ServiceFile, "url">,
  { request, response, path, as }: { request: IncomingMessage; response: ServerResponse; path: string; as: As },
  onUnreachable: () => void,
): void {
  const headers: Record<string, string> = { authorization: `Bearer ${as.token}` };
  for (const name of passed) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (as.person !== undefined) headers[personHeader] = encodeURIComponent(as.person);
  const url = new URL(path, service.url);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = send(url, { method: request.method, headers, agent: false }, (incoming) => {
    const type = incoming.headers["content-type"] ?? "application/json";
    response.writeHead(incoming.statusCode ?? 502, { "content-type": type });
    // An event stream's first bytes may come much later.
    response.flushHeaders();
    incoming.on("error", () => response.destroy());
    incoming.pipe(response);
  });
  outgoing.on("error", () => {
    if (response.headersSent) response.destroy();
    else onUnreachable();
  });
  response.once("close", () => outgoing.destroy());
  request.pipe(outgoing);
}
