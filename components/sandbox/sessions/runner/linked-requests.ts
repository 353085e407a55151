import { request as httpRequest, type IncomingMessage } from "node:http";
import {
  creditWindow,
  frameOf,
  maxRequestBody,
  maxRequests,
  partIn,
  partsOf,
  type RunnerFrame,
  type WorkerFrame,
  workerFrame,
} from "../link-protocol.ts";

export interface LinkedRequestsOptions {
  /** The port of the runner's server on this machine, and the secret that it requires. */
  readonly port: number;
  readonly secret: string;
  readonly send: (message: string | Uint8Array) => void;
}

interface Pending {
  readonly request: WorkerFrame & { readonly frame: "request" };
  readonly body: Uint8Array[];
  bytes: number;
  isSent: boolean;
  /** How many bytes of the response may be sent now. */
  credit: number;
  more: PromiseWithResolvers<void>;
  readonly controller: AbortController;
}

/** The worker's requests over one link. Each is forwarded to the runner's server, as if the worker ran on this machine. */
export class LinkedRequests {
  readonly #options: LinkedRequestsOptions;
  readonly #pending = new Map<number, Pending>();

  constructor(options: LinkedRequestsOptions) {
    this.#options = options;
  }

  /** @throws if it violates the protocol */
  frame(text: string): void {
    const frame = frameOf(workerFrame, text);
    const pending = this.#pending.get(frame.id);
    switch (frame.frame) {
      case "request": {
        if (pending !== undefined) throw new Error("two requests have one id");
        if (this.#pending.size >= maxRequests) throw new Error(`more than ${maxRequests} requests are pending`);
        const [controller, more] = [new AbortController(), Promise.withResolvers<void>()];
        const parts = { body: [], bytes: 0, isSent: false, credit: creditWindow, more, controller };
        this.#pending.set(frame.id, { request: frame, ...parts });
        return;
      }
      case "sent":
        if (pending === undefined) return;
        if (pending.isSent) throw new Error("a request was sent twice");
        pending.isSent = true;
        void this.#forward(frame.id, pending);
        return;
      case "credit":
        if (pending === undefined) return;
        pending.credit += frame.bytes;
        if (pending.credit > creditWindow) throw new Error("more credit than the window allows");
        pending.more.resolve();
        pending.more = Promise.withResolvers();
        return;
      case "cancel":
        this.#pending.delete(frame.id);
        if (pending !== undefined) abort(pending);
    }
  }

  /** @throws if it violates the protocol */
  part(message: Uint8Array): void {
    const { id, bytes } = partIn(message);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (pending.isSent) throw new Error("a part after the end of its request");
    pending.bytes += bytes.length;
    if (pending.bytes > maxRequestBody) throw new Error("the body of a request is too large");
    pending.body.push(Uint8Array.from(bytes));
  }

  /** The link has ended. Runs continue, and the worker asks for them again. */
  end(): void {
    for (const pending of this.#pending.values()) abort(pending);
    this.#pending.clear();
  }

  async #forward(id: number, pending: Pending): Promise<void> {
    const { signal } = pending.controller;
    try {
      const response = await this.#request(pending);
      const type = response.headers["content-type"] ?? "text/plain";
      this.#sendFrame({ frame: "response", id, status: response.statusCode ?? 500, type });
      for await (const chunk of response) {
        for (const part of partsOf(id, chunk)) await this.#sendPart(pending, part);
      }
      if (!response.complete) throw new Error("the response was cut off");
      this.#sendFrame({ frame: "end", id });
    } catch {
      if (!signal.aborted) this.#sendFrame({ frame: "broken", id });
    } finally {
      if (this.#pending.get(id) === pending) this.#pending.delete(id);
    }
  }

  /** Waits until the worker has granted enough credit. */
  async #sendPart(pending: Pending, part: Uint8Array): Promise<void> {
    const { signal } = pending.controller;
    const bytes = part.length - 4;
    while (pending.credit < bytes && !signal.aborted) await pending.more.promise;
    signal.throwIfAborted();
    pending.credit -= bytes;
    this.#options.send(part);
  }

  #request({ request: { method, path }, body, controller }: Pending): Promise<IncomingMessage> {
    const { port, secret } = this.#options;
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        ...{ host: "127.0.0.1", port, method, path, agent: false, signal: controller.signal },
        headers: { authorization: `Bearer ${secret}` },
      });
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
      outgoing.end(Buffer.concat(body));
    });
  }

  #sendFrame(frame: RunnerFrame): void {
    this.#options.send(JSON.stringify(frame));
  }
}

function abort({ controller, more }: Pending): void {
  controller.abort();
  more.resolve();
}
