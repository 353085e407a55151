import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import * as z from "zod/mini";
import { writePrivateFile } from "../../host/files.ts";
import type { Log } from "../../host/log.ts";
import { messageOf } from "../../lib/as-error.ts";
import { limitWaiting, type WaitingConnections } from "../../lib/waiting-connections.ts";
import type { ErrorCode, ServiceFile } from "../sessions/protocol.ts";
import { assetAt, pageHeaders } from "./assets.ts";
import { Codes, signingKey } from "./codes.ts";
import { forward, type Identity, isAllowed } from "./forward.ts";
import { isLoginToken, Logins } from "./logins.ts";
import { OpenResponses } from "./open-responses.ts";
import { type PageFile, pageFilePath, readPageFile } from "./page-file.ts";
import { readRevocation, watchRevocation } from "./revocation.ts";
import type { PageSettings } from "./settings.ts";

export interface PageOptions {
  /** The session service's folder, which gets `page.json`, `logins.json` and `revocation/`. */
  readonly folder: string;
  /** The running service. It is called for each request, because the address may change with a restart. */
  readonly service: () => ServiceFile | undefined;
  readonly settings?: PageSettings;
  readonly log?: Log;
}

export interface RunningPage {
  readonly url: string;
  close(): Promise<void>;
}

const loginRequest = z.object({ code: z.string().check(z.maxLength(2000)) });

/** The host names that browsers use on this machine or through an SSH tunnel. Others can be DNS rebinding. */
const localHosts = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i;

/**
 * Serves the page of the sessions on 127.0.0.1, and forwards its requests to the session service.
 *
 * It uses no cookies, because browsers send the cookies of 127.0.0.1 to all of its ports. The page sends its token with
 * each request, so that other origins can't act for it. A browser that logs in with a code of `changeling sandbox open`
 * acts as the installation's owner, but never gets the owner's token. A guest's token is forwarded to the service.
 *
 * @throws if its port is in use, and then leaves no `page.json`
 */
export async function startPage({ folder, service, settings = {}, log }: PageOptions): Promise<RunningPage> {
  const key = randomBytes(32).toString("base64url");
  const codes = new Codes(() => signingKey(key, readRevocation(folder)));
  const logins = new Logins(folder);
  const open = new OpenResponses(logins);
  const { publicUrl } = settings;
  const server = createServer((request, response) => {
    handle({ codes, logins, open, waiting, service, publicUrl }, request, response).catch((error: unknown) => {
      log?.(`the page failed: ${messageOf(error)}`);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "failed", "the page's server failed; the log of the session service says why");
    });
  });
  const waiting = limitWaiting(server);
  const port = await (settings.port === undefined
    ? listenAgain(server, portOf(readPageFile(folder)))
    : listenOn(server, settings.port)
  ).catch((error: unknown) => {
    // Login URLs must not lead to whatever else listens there.
    rmSync(pageFilePath(folder), { force: true });
    throw error;
  });
  const url = `http://127.0.0.1:${port}`;
  const content: PageFile = { version: 1, url, publicUrl, key, isRevocable: true };
  writePrivateFile(pageFilePath(folder), `${JSON.stringify(content)}\n`);
  const stopWatching = watchRevocation(folder, () => open.closeEnded());
  return {
    url,
    async close() {
      stopWatching();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Parts = Pick<PageOptions, "service"> & {
  readonly publicUrl: string | undefined;
  readonly codes: Codes;
  readonly logins: Logins;
  readonly open: OpenResponses;
  readonly waiting: WaitingConnections;
};

async function handle(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value);
  const { method = "", url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  if (!isOwnHost(request.headers.host ?? "", parts.publicUrl)) {
    return refuse(response, 421, "forbidden", "this address is not known here");
  }
  if (path.startsWith("/api/")) {
    if (isForeign(request, parts.publicUrl))
      return refuse(response, 403, "forbidden", "this request comes from another site’s page");
    return handleApi(parts, request, response, url.slice("/api".length));
  }
  const asset = method === "GET" || method === "HEAD" ? await assetAt(path) : undefined;
  if (asset === undefined) return refuse(response, 404, "not_found", "there is nothing at this address");
  const { type, content } = asset;
  response.writeHead(200, { "content-type": type, "content-length": content.length });
  response.end(method === "HEAD" ? undefined : content);
}

async function handleApi(
  { codes, logins, open, waiting, service }: Parts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (request.method === "POST" && path === "/login") {
    const { data } = loginRequest.safeParse(await bodyOf(request));
    const person = data && codes.use(data.code);
    if (person === undefined) return refuse(response, 403, "forbidden", "this login URL was used, or is too old");
    return reply(response, { token: logins.add(person), person });
  }
  const [, token] = /^Bearer ([\w-]{20,200})$/.exec(request.headers.authorization ?? "") ?? [];
  if (token === undefined) return refuse(response, 401, "unauthorized", "log in first");
  if (request.method === "POST" && path === "/logout") {
    logins.end(token);
    open.closeEnded();
    return reply(response, {});
  }
  if (!isAllowed(request.method ?? "", path.split("?", 1)[0] ?? "")) {
    return refuse(response, 404, "not_found", "there is nothing at this address");
  }
  const running = service();
  const unreachable = () => refuse(response, 503, "unavailable", "the session service is not running");
  if (running === undefined) return unreachable();
  const person = logins.person(token);
  if (person === undefined && isLoginToken(token)) {
    return refuse(response, 401, "unauthorized", "this login has ended");
  }
  const admit = () => waiting.admitted(request.socket);
  if (person !== undefined) {
    open.add(token, response);
    admit();
  }
  const identity: Identity = person === undefined ? { token } : { token: running.token, person };
  forward(running, { request, response, path, identity }, { accepted: admit, unreachable });
}

/** Whether a page of another origin made the request. It would need a token too. */
function isForeign({ headers }: IncomingMessage, publicUrl: string | undefined): boolean {
  const { origin, host, "sec-fetch-site": site } = headers;
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  // The server in front may pass on its own name, or that of the address that it connects to.
  return origin !== undefined && origin !== publicUrl && URL.parse(origin)?.host !== host;
}

function isOwnHost(host: string, publicUrl: string | undefined): boolean {
  return localHosts.test(host) || (publicUrl !== undefined && host.toLowerCase() === new URL(publicUrl).host);
}

/** Listens on the former port if it is free, so that open tabs keep working after a restart. */
async function listenAgain(server: Server, port: number): Promise<number> {
  try {
    return await listenOn(server, port);
  } catch (error) {
    if (port === 0) throw error;
    return await listenOn(server, 0);
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const remedy = "end the program that uses it, or declare another port in [sandboxes]";
      reject(error.code === "EADDRINUSE" ? new Error(`port ${port} is in use; ${remedy}`) : error);
    };
    server.once("error", onError);
    server.listen({ host: "127.0.0.1", port }, () => {
      server.off("error", onError);
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : port);
    });
  });
}

function portOf(file: PageFile | undefined): number {
  return Number(URL.parse(file?.url ?? "")?.port ?? 0);
}

/** @returns undefined if the body is not JSON or is too large */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY) > 4096) return undefined;
  return await json(request).catch(() => undefined);
}

function reply(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(`${JSON.stringify(body)}\n`);
}

function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  response.setHeader("connection", "close");
  reply(response, { error: { code, message } }, status);
}
