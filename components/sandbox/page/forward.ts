import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { sendBody } from "../../lib/request-body.ts";
import { personHeader, type ServiceFile } from "../sessions/protocol.ts";

/**
 * The requests that the page makes. A login allows only these: it can't invite people, or download a sandbox's commits.
 */
const allowed: readonly (readonly [method: string, path: RegExp])[] = [
  ["GET", /^\/sessions$/],
  ["GET", /^\/sessions\/[0-9a-f]{20}(\/(messages|events|diff))?$/],
  ["POST", /^\/sessions\/[0-9a-f]{20}\/(messages|cancel|retry|pause|resume|stop)$/],
];

export function isAllowed(method: string, path: string): boolean {
  return allowed.some(([each, form]) => each === method && form.test(path));
}

/** @property person the name of the person who acts, if the token is the installation owner's */
export interface Identity {
  readonly token: string;
  readonly person?: string | undefined;
}

/** The browser's headers that are forwarded to the service. */
const passed = ["accept", "content-type", "content-length", "transfer-encoding", "last-event-id"] as const;

/**
 * Forwards a request to the session service, and the response to the browser.
 *
 * @param path with its query
 * @param on.accepted called if the service accepts the request, and with it its token
 * @param on.unreachable called if the service does not respond
 */
export function forward(
  service: Pick<ServiceFile, "url">,
  {
    request,
    response,
    path,
    identity,
  }: { request: IncomingMessage; response: ServerResponse; path: string; identity: Identity },
  on: { readonly accepted: () => void; readonly unreachable: () => void },
): void {
  const headers: Record<string, string> = { authorization: `Bearer ${identity.token}` };
  for (const name of passed) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (identity.person !== undefined) headers[personHeader] = encodeURIComponent(identity.person);
  const url = new URL(path, service.url);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = send(url, { method: request.method, headers, agent: false }, (incoming) => {
    const type = incoming.headers["content-type"] ?? "application/json";
    const { statusCode = 502 } = incoming;
    if (statusCode < 400) on.accepted();
    response.writeHead(statusCode, { "content-type": type });
    // The first bytes of an event stream may come much later.
    response.flushHeaders();
    incoming.on("error", () => response.destroy());
    incoming.pipe(response);
  });
  outgoing.on("error", () => {
    if (response.headersSent) response.destroy();
    else on.unreachable();
  });
  response.once("close", () => outgoing.destroy());
  sendBody(request, outgoing);
}
