import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { pageHeaders } from "./pages/page.ts";

/** A response that needs no agent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
}

/** @param setCookie a `Set-Cookie` header */
export function pageAnswer(status: number, html: string, setCookie?: string): Answer {
  return { status, headers: { ...pageHeaders, ...cookieHeader(setCookie) }, body: html };
}

/** @param text a sentence */
export function textAnswer(status: number, text: string): Answer {
  return { status, headers: plainHeaders, body: `${text}\n` };
}

/** @param location an absolute URL, so that no path in it can be parsed as a host */
export function redirection(
  location: string,
  { status = 302, setCookie }: { status?: number; setCookie?: string } = {},
): Answer {
  return { status, headers: { ...plainHeaders, location, ...cookieHeader(setCookie) }, body: "" };
}

export const plainHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** Closes the connection if the request has an unread body, so that the body can't be parsed as another request. */
export function send(req: IncomingMessage, res: ServerResponse, { status, headers, body }: Answer): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (hasBody(req)) res.setHeader("connection", "close");
  res.setHeader("content-length", Buffer.byteLength(body));
  res.writeHead(status).end(req.method === "HEAD" ? undefined : body);
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Responds to an upgrade request, which has no response object, with just the status. */
export function refuseUpgrade(socket: Duplex, { status }: Answer): void {
  socket.on("error", () => socket.destroy());
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(head, () => socket.destroy());
}

function cookieHeader(setCookie: string | undefined): Record<string, string> {
  return setCookie === undefined ? {} : { "set-cookie": setCookie };
}
