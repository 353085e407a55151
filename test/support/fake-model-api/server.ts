import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { headAndTail, newlines, type Script } from "./script.ts";

export interface FakeModelApi extends AsyncDisposable {
  readonly url: string;
  /** Oldest first. */
  readonly requests: readonly FakeRequest[];
  /** The requests to the model. */
  prompts(): readonly FakeRequest[];
  /** Resolves when the model was asked `count` times in total. */
  asked(count: number): Promise<void>;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  /** Which header had the key. Its value is not kept. */
  readonly auth: "x-api-key" | "bearer" | "none";
  hasKey(key: string): boolean;
  readonly body: unknown;
}

/** One API: what its requests ask for, and how it writes an answer. */
export interface Dialect<Block> {
  /** The path of requests to the model ends with this. */
  readonly path: string;
  script(body: unknown): Script;
  errorBody(status: number): unknown;
  /** Answers on paths other than that of the model; undefined for 404. */
  other(path: string): unknown;
  text(text: string): Block;
  /** The block of a step that only this API has, or of `tool`. */
  block(step: { readonly kind: string; readonly rest: string }): Block;
  stream(answer: Answer<Block>): AsyncIterable<string>;
}

export interface Answer<Block> {
  readonly request: unknown;
  readonly blocks: readonly Block[];
  /** Waits before each word. */
  pause(): Promise<void>;
}

export async function startFake<Block>(dialect: Dialect<Block>): Promise<FakeModelApi> {
  const requests: FakeRequest[] = [];
  const failures = new Map<string, number>();
  const waiting = new Set<() => void>();

  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let raw = "";
    for await (const chunk of request.setEncoding("utf8")) raw += chunk;
    const path = (request.url ?? "").split("?")[0] ?? "";
    const body: unknown = raw === "" ? {} : JSON.parse(raw);
    requests.push({ method: request.method ?? "", path, auth: authOf(request), hasKey: keyCheckOf(request), body });
    for (const check of waiting) check();
    const other = dialect.other(path);
    if (other !== undefined) return json(response, 200, other);
    if (request.method !== "POST" || !path.endsWith(dialect.path)) return json(response, 404, dialect.errorBody(404));

    const { step, key: turn } = dialect.script(body);
    const [head, tail] = headAndTail(step.rest);
    const first = step.first === undefined ? [] : [dialect.text(step.first)];
    const send = (block: Block, options: StreamOptions = {}) =>
      stream(response, dialect.stream({ request: body, blocks: [...first, block], pause: pauseOf(options) }), options);
    switch (step.kind) {
      case "fail": {
        const count = (failures.get(turn) ?? 0) + 1;
        failures.set(turn, count);
        if (tail !== "" && count > Number(tail)) return send(dialect.text(`done after ${tail} failures`));
        return json(response, Number(head), dialect.errorBody(Number(head)));
      }
      case "hang":
        return head === "headers" ? undefined : send(dialect.text("never"), { events: 1, isOpen: true });
      case "cut":
        return send(dialect.text("half of it"), { events: 3 });
      case "garbage":
        response.writeHead(200, { "content-type": "text/html" }).end("<html>not the API</html>");
        return;
      case "slow":
        return send(dialect.text(newlines(tail)), { pauseMs: Number(head) });
      case "echo":
        return send(dialect.text(step.rest));
      case "say":
        return send(dialect.text(newlines(step.rest)));
      default:
        return send(dialect.block(step));
    }
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fake has no port");
  const prompts = () => requests.filter(({ path, method }) => method === "POST" && path.endsWith(dialect.path));
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    prompts,
    asked(count) {
      return new Promise((resolve) => {
        const check = () => {
          if (prompts().length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface StreamOptions {
  readonly pauseMs?: number;
  /** How many events are sent before the stream breaks off; all by default. */
  readonly events?: number;
  /** Whether a stream that breaks off stays open. */
  readonly isOpen?: boolean;
}

function pauseOf({ pauseMs }: StreamOptions): () => Promise<void> {
  return async () => {
    if (pauseMs !== undefined) await sleep(pauseMs);
  };
}

async function stream(response: ServerResponse, events: AsyncIterable<string>, options: StreamOptions): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "request-id": "req_fake" });
  let count = 0;
  for await (const event of events) {
    if (count === options.events) {
      if (!options.isOpen) response.destroy();
      return;
    }
    response.write(event);
    count += 1;
  }
  response.end();
}

function json(response: ServerResponse, status: number, body: unknown): void {
  const headers = { "content-type": "application/json", ...(status === 429 ? { "retry-after": "0" } : {}) };
  response.writeHead(status, headers).end(JSON.stringify(body));
}

/** Keeps only the hash, so that no key is in what a failing test prints. */
function keyCheckOf({ headers }: IncomingMessage): FakeRequest["hasKey"] {
  const hash = (text: unknown) => createHash("sha256").update(String(text)).digest("hex");
  const sent = hash(headers["x-api-key"] ?? headers.authorization?.replace("Bearer ", ""));
  return (key) => hash(key) === sent;
}

function authOf({ headers }: IncomingMessage): FakeRequest["auth"] {
  if (headers["x-api-key"] !== undefined) return "x-api-key";
  return headers.authorization === undefined ? "none" : "bearer";
}
