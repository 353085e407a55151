import type { Client } from "pg";
import { pollMilliseconds } from "./database.ts";
import { backoff, type PostgresTimes } from "./postgres-times.ts";

/** Listens for the notifications of all nodes, on a connection of its own. Reconnects whenever that ends. */
export class Listener {
  static readonly channel = "seed_agent";
  readonly #newClient: () => Client;
  readonly #times: PostgresTimes;
  readonly #onConnected: () => void;
  readonly #subscribers = new Set<() => void>();
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(newClient: () => Client, times: PostgresTimes, onConnected: () => void) {
    this.#newClient = newClient;
    this.#times = times;
    this.#onConnected = onConnected;
  }

  subscribe(onChange: () => void): () => void {
    // A new function each time, because the same one may subscribe twice.
    const subscriber = () => onChange();
    this.#subscribers.add(subscriber);
    const timer = setInterval(subscriber, pollMilliseconds).unref();
    if (this.#client === undefined && this.#timer === undefined && !this.#isClosed) this.#connect();
    return () => {
      this.#subscribers.delete(subscriber);
      clearInterval(timer);
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#subscribers.clear();
    clearTimeout(this.#timer);
    this.#client?.end().catch(() => undefined);
  }

  #connect(): void {
    this.#timer = undefined;
    const client = this.#newClient();
    this.#client = client;
    client.on("notification", () => this.#notify());
    client.once("error", () => this.#reconnect(client));
    client.once("end", () => this.#reconnect(client));
    client
      .connect()
      .then(() => client.query(`LISTEN ${Listener.channel}`))
      .then(() => {
        this.#failures = 0;
        this.#onConnected();
        // Notifications may have been missed in between.
        this.#notify();
      })
      .catch(() => this.#reconnect(client));
  }

  #reconnect(client: Client): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = undefined;
    // Without a listener, a later error of this connection would end the process.
    client.on("error", () => undefined);
    client.end().catch(() => undefined);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), backoff(this.#failures, this.#times)).unref();
  }

  #notify(): void {
    for (const onChange of this.#subscribers) queueMicrotask(onChange);
  }
}
