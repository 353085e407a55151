import {
  creditWindow,
  frameOf,
  maxRequestBody,
  maxRequests,
  partIn,
  partsOf,
  runnerFrame,
  type WorkerFrame,
} from "../link-protocol.ts";
import { RequestError } from "./queue.ts";

/** The part of a WebSocket that a tunnel needs. */
export interface Line {
  send(message: string | Uint8Array<ArrayBuffer>): void;
}

interface Pending {
  readonly answer: PromiseWithResolvers<Response>;
  body?: ReadableStreamDefaultController<Uint8Array>;
  /** Bytes that the runner may still send. */
  credit: number;
}

export const notConnected = () =>
  new RequestError("unavailable", "the machine that runs the sandboxes is not connected to the session service");

/** Sends requests over a line to the runner. Knows nothing of WebSockets. */
export class Tunnel {
  readonly #line: Line;
  readonly #pending = new Map<number, Pending>();
  // Not 0: an answer to a request before this object was made anew is not taken for another's.
  #last = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;

  constructor(line: Line) {
    this.#line = line;
  }

  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  /** @throws RequestError `unavailable` if the link ends before the response begins, or too much is under way */
  async fetch(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    if (body.length > maxRequestBody) throw new RequestError("too_large", "the request to the runner is too large");
    if (this.#pending.size >= maxRequests) {
      throw new RequestError("unavailable", `${maxRequests} requests to the runner are under way`);
    }
    const id = this.#newId();
    const pending: Pending = { answer: Promise.withResolvers<Response>(), credit: creditWindow };
    this.#pending.set(id, pending);
    request.signal.addEventListener("abort", () => this.#cancel(id));
    try {
      const { pathname } = new URL(request.url);
      this.#say({ frame: "request", id, method: methodOf(request), path: pathname });
      for (const part of partsOf(id, body)) this.#line.send(part);
      this.#say({ frame: "sent", id });
    } catch {
      this.#pending.delete(id);
      throw notConnected();
    }
    return await pending.answer.promise;
  }

  /** @throws if the message is not of the protocol: the link is to be closed */
  receive(message: string | ArrayBuffer): void {
    if (typeof message === "string") this.#frame(message);
    else this.#part(new Uint8Array(message));
  }

  /** The link has ended: whatever is under way fails, and is asked for again. */
  end(): void {
    for (const [id, { answer, body }] of [...this.#pending]) {
      this.#pending.delete(id);
      answer.reject(notConnected());
      body?.error(notConnected());
    }
  }

  #frame(text: string): void {
    const frame = frameOf(runnerFrame, text);
    const pending = this.#pending.get(frame.id);
    // Cancelled meanwhile.
    if (pending === undefined) return;
    if (frame.frame === "response") {
      if (pending.body !== undefined) throw new Error("a second response to one request");
      const headers = { "content-type": frame.type };
      pending.answer.resolve(new Response(this.#bodyOf(frame.id, pending), { status: frame.status, headers }));
      return;
    }
    if (frame.frame === "end" && pending.body === undefined) {
      throw new Error("the end of a response that has not begun");
    }
    this.#pending.delete(frame.id);
    if (frame.frame === "broken") {
      pending.answer.reject(new RequestError("failed", "the runner's answer broke off"));
      pending.body?.error(new Error("the runner's answer broke off"));
    } else pending.body?.close();
  }

  #part(message: Uint8Array): void {
    const { id, bytes } = partIn(message);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (pending.body === undefined) throw new Error("a part of a response that has not begun");
    if (bytes.length > pending.credit) throw new Error("more than what was asked for");
    pending.credit -= bytes.length;
    pending.body.enqueue(bytes);
  }

  #bodyOf(id: number, pending: Pending): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          pending.body = controller;
        },
        // What was read makes room for as much.
        pull: ({ desiredSize }) => {
          const bytes = (desiredSize ?? 0) - pending.credit;
          if (bytes < creditWindow / 4 || !this.#pending.has(id)) return;
          pending.credit += bytes;
          this.#say({ frame: "credit", id, bytes });
        },
        cancel: () => this.#cancel(id),
      },
      { highWaterMark: creditWindow, size: ({ byteLength }) => byteLength },
    );
  }

  #cancel(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.answer.reject(new RequestError("unavailable", "the request was cancelled"));
    try {
      this.#say({ frame: "cancel", id });
    } catch {
      // The link has ended.
    }
  }

  #newId(): number {
    do this.#last = (this.#last + 1) % 2 ** 32;
    while (this.#pending.has(this.#last));
    return this.#last;
  }

  #say(frame: WorkerFrame): void {
    this.#line.send(JSON.stringify(frame));
  }
}

function methodOf({ method }: Request): (WorkerFrame & { frame: "request" })["method"] {
  if (method === "GET" || method === "POST" || method === "PUT" || method === "DELETE") return method;
  throw new RequestError("failed", `the runner knows no ${method}`);
}
