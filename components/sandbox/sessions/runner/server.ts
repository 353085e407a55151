import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import type { Log } from "../../../host/log.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { limitWaiting, type WaitingConnections } from "../../../lib/waiting-connections.ts";
import { type ErrorCode, sessionId } from "../protocol.ts";
import { runKey, runRequest } from "../runner-protocol.ts";
import type { Runs } from "./runs.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** The most bytes of a diff. */
const maxDiffBytes = 1_000_000;

export interface RunnerServerOptions {
  readonly runs: Runs;
  readonly sandboxes: Sandboxes;
  /** The bearer token of the worker's requests. */
  readonly secret: string;
  readonly log: Log;
}

/** Listens for the worker's requests on a free port of loopback. */
export async function startRunnerServer(options: RunnerServerOptions): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => void answer({ ...options, waiting }, request, response));
  const waiting = limitWaiting(server);
  // A run may take hours.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  // A server on a TCP port has an address of this type.
  const { port } = server.address() as AddressInfo;
  return { server, port };
}

async function answer(
  { waiting, ...options }: RunnerServerOptions & { readonly waiting: WaitingConnections },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (!isAuthorized(request, options.secret))
      return refuse(response, "unauthorized", "the request does not contain the runner's secret");
    waiting.admitted(request.socket);
    await route(options, request, response);
  } catch (error) {
    const message = messageOf(error);
    options.log(`${request.method} ${request.url} failed: ${message}`);
    refuse(response, "failed", message);
  }
}

function isAuthorized({ headers }: IncomingMessage, secret: string): boolean {
  const [given, expected] = [Buffer.from(headers.authorization ?? ""), Buffer.from(`Bearer ${secret}`)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function route(
  { runs, sandboxes }: RunnerServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, top, id = "", what = ""] = (request.url ?? "").split("/");
  const name = `${request.method} ${top} ${what}`;
  if (top === "runs" && runKey.safeParse(id).success) {
    if (name === "PUT runs ") return await stream(runs, id, request, response);
    if (name === "POST runs cancel") runs.cancel(id);
    else if (name === "POST runs taken") runs.take(id);
    else return refuse(response, "not_found", name);
    return send(response, "");
  }
  if (top !== "sessions" || !sessionId.safeParse(id).success) return refuse(response, "not_found", name);
  switch (name) {
    case "DELETE sessions ":
      await runs.end(id);
      await sandboxes.terminate(id);
      return send(response, "");
    case "POST sessions snapshot":
      if (runs.isBusy(id))
        return refuse(response, "conflict", "a message is being processed: wait for it, or cancel it");
      return send(response, await sandboxes.snapshot(id));
    case "GET sessions diff":
      return send(response, await sandboxes.use(id, (sandbox) => sandbox.diff(maxDiffBytes)));
    case "GET sessions bundle":
      return send(response, await sandboxes.use(id, (sandbox) => sandbox.bundle()));
    default:
      return refuse(response, "not_found", name);
  }
}

async function stream(runs: Runs, key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = runRequest.parse(JSON.parse(await textOf(request)));
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  let isClosed = false;
  const closed = new Promise<void>((resolve) => response.once("close", resolve)).then(() => {
    isClosed = true;
  });
  for await (const line of runs.lines(key, asked)) {
    if (isClosed) return;
    if (!response.write(`${JSON.stringify(line)}\n`)) {
      await Promise.race([closed, new Promise<void>((resolve) => response.once("drain", resolve))]);
    }
  }
  response.end();
}

function send(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.end(body);
}

const statusOf: Partial<Record<ErrorCode, number>> = { unauthorized: 401, not_found: 404, conflict: 409 };

function refuse(response: ServerResponse, code: ErrorCode, message: string): void {
  // The worker sees a stream that ended without an outcome, and asks again.
  if (response.headersSent) return void response.destroy();
  response.writeHead(statusOf[code] ?? 500, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { code, message } }));
}
