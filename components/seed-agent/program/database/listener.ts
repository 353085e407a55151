import type { Client } from "pg";
import { pollMilliseconds } from "./database.ts";
import { backoff, type PostgresTimes } from "./postgres-times.ts";

/** Hears the notifications of all nodes on a connection of its own, which is made again whenever it ends. */
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

  subscribe(onNews: () => void): () => void {
    // The same function can subscribe twice.
    const subscriber = () => onNews();
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
    client.on("notification", () => this.#tell());
    client.once("error", () => this.#again(client));
    client.once("end", () => this.#again(client));
    client
      .connect()
      .then(() => client.query(`LISTEN ${Listener.channel}`))
      .then(() => {
        this.#failures = 0;
        this.#onConnected();
        // There may have been news in between.
        this.#tell();
      })
      .catch(() => this.#again(client));
  }

  #again(client: Client): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = undefined;
    // Later errors of this connection say nothing new, but would end the process.
    client.on("error", () => undefined);
    client.end().catch(() => undefined);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), backoff(this.#failures, this.#times)).unref();
  }

  #tell(): void {
    for (const onNews of this.#subscribers) queueMicrotask(onNews);
  }
}
