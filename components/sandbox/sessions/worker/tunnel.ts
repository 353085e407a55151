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
export interface Sender {
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

/** Sends requests to the runner over a WebSocket, which it neither opens nor closes. */
export class Tunnel {
  readonly #socket: Sender;
  readonly #pending = new Map<number, Pending>();
  // Not 0, so that a late response to a request of an earlier object is not taken for the response to a new one.
  #last = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;

  constructor(socket: Sender) {
    this.#socket = socket;
  }

  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  /** @throws RequestError `unavailable` if the link ends before the response begins, or too many requests are pending */
  async fetch(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    if (body.length > maxRequestBody) throw new RequestError("too_large", "the request to the runner is too large");
    if (this.#pending.size >= maxRequests) {
      throw new RequestError("unavailable", `${maxRequests} requests to the runner are pending`);
    }
    const id = this.#newId();
    const pending: Pending = { answer: Promise.withResolvers<Response>(), credit: creditWindow };
    this.#pending.set(id, pending);
    request.signal.addEventListener("abort", () => this.#cancel(id));
    try {
      const { pathname } = new URL(request.url);
      this.#sendFrame({ frame: "request", id, method: methodOf(request), path: pathname });
      for (const part of partsOf(id, body)) this.#socket.send(part);
      this.#sendFrame({ frame: "sent", id });
    } catch {
      this.#pending.delete(id);
      throw notConnected();
    }
    return await pending.answer.promise;
  }

  /** @throws if the message violates the protocol; close the link then */
  receive(message: string | ArrayBuffer): void {
    if (typeof message === "string") this.#frame(message);
    else this.#part(new Uint8Array(message));
  }

  /** The link has ended. All pending requests fail, and their callers repeat them. */
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
    // The request was cancelled meanwhile.
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
    if (bytes.length > pending.credit) throw new Error("more bytes than were granted");
    pending.credit -= bytes.length;
    pending.body.enqueue(bytes);
  }

  #bodyOf(id: number, pending: Pending): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          pending.body = controller;
        },
        // Grants as many bytes as were read.
        pull: ({ desiredSize }) => {
          const bytes = (desiredSize ?? 0) - pending.credit;
          if (bytes < creditWindow / 4 || !this.#pending.has(id)) return;
          pending.credit += bytes;
          this.#sendFrame({ frame: "credit", id, bytes });
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
      this.#sendFrame({ frame: "cancel", id });
    } catch {
      // The link has ended.
    }
  }

  #newId(): number {
    do this.#last = (this.#last + 1) % 2 ** 32;
    while (this.#pending.has(this.#last));
    return this.#last;
  }

  #sendFrame(frame: WorkerFrame): void {
    this.#socket.send(JSON.stringify(frame));
  }
}

function methodOf({ method }: Request): (WorkerFrame & { frame: "request" })["method"] {
  if (method === "GET" || method === "POST" || method === "PUT" || method === "DELETE") return method;
  throw new RequestError("failed", `the runner does not accept ${method}`);
}
