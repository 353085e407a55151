import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Log } from "../../../host/log.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { deadAfterMs, maxPart, pingEveryMs, replacedCode, violationCode } from "../link-protocol.ts";
import { LinkedRequests } from "./linked-requests.ts";

const firstPauseMs = 250;
const longestPauseMs = 30_000;
/** How long to wait if another runner has replaced this one, which keeps the link until it ends. */
const replacedPauseMs = 300_000;
const connectMs = 20_000;
/** workerd ends a connection only 10 s after it was closed. */
const closeMs = 1_000;

export interface LinkOptions {
  /** The worker's URL, for instance `https://sessions.example.workers.dev`. */
  readonly url: string;
  /** The runner's token. */
  readonly token: string;
  /** The port of the runner's server on this machine, and the secret that it requires. */
  readonly port: number;
  readonly secret: string;
  readonly log: Log;
  /** Called when the worker can reach the runner, for the first time or again. */
  readonly onConnected: () => void;
}

/** Keeps a WebSocket to the worker on Cloudflare open, over which the worker reaches the runner. */
export class Link {
  readonly #options: LinkOptions;
  readonly #stopped = new AbortController();
  #socket: WebSocket | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#socket?.terminate();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let lastReason = "";
    for (let failures = 0; !signal.aborted; ) {
      const { wasConnected, code, reason } = await this.#connectOnce();
      if (signal.aborted) return;
      failures = wasConnected ? 0 : failures + 1;
      // Each reason once, because a machine that is offline for a day would fill the log.
      if (wasConnected || reason !== lastReason) this.#options.log(`no link to ${this.#options.url}: ${reason}`);
      lastReason = reason;
      const pause =
        code === replacedCode ? replacedPauseMs : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 10));
      // Jitter: after a failure of Cloudflare, not all runners reconnect at the same time.
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  /** Resolves when the link has ended, or could not be established. */
  #connectOnce(): Promise<{ readonly wasConnected: boolean; readonly code: number; readonly reason: string }> {
    const { url, token, port, secret, log, onConnected } = this.#options;
    const address = new URL("/runner", url.replace(/^http/, "ws"));
    const options = {
      headers: { authorization: `Bearer ${token}` },
      ...{ handshakeTimeout: connectMs, maxPayload: maxPart + 1024, perMessageDeflate: false, closeTimeout: closeMs },
    };
    const socket = new WebSocket(address, options);
    this.#socket = socket;
    const requests = new LinkedRequests({ port, secret, send: (message) => socket.send(message) });
    let heardAt = Date.now();
    let isOpen = false;
    let failure = "";
    const pinging = setInterval(() => {
      if (!isOpen) return;
      if (Date.now() - heardAt > deadAfterMs) {
        failure = "the worker does not answer";
        socket.terminate();
      } else socket.send("ping");
    }, pingEveryMs);
    socket.on("open", () => {
      isOpen = true;
      heardAt = Date.now();
      // The worker dates its last sign of life from the first pong.
      socket.send("ping");
      log(`linked to ${url}`);
      onConnected();
    });
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      heardAt = Date.now();
      try {
        if (isBinary) requests.part(data);
        else if (String(data) !== "pong") requests.frame(String(data));
      } catch (error) {
        failure = `the worker violated the protocol: ${messageOf(error)}`;
        socket.close(violationCode);
      }
    });
    socket.on("error", (error) => {
      failure ||= /\b401\b/.test(error.message) ? "the worker rejects this runner's token" : error.message;
    });
    return new Promise((resolve) => {
      socket.on("close", (code, text) => {
        clearInterval(pinging);
        requests.end();
        const reason = failure || String(text) || `closed with ${code}`;
        resolve({ wasConnected: isOpen, code, reason });
      });
    });
  }
}
