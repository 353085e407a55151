import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

/** The headers of a browser's navigation. */
export const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none" };

export interface Opened {
  readonly status: number;
  readonly body: string;
  /** The final URL. */
  readonly url: string;
  /** The status of each step, including the last. */
  readonly statuses: readonly number[];
}

/**
 * Simulates a browser on the forwarding server: follows redirects with the cookies of each host, and does what the
 * scripts of the main origin's pages do.
 */
export class SmallBrowser {
  readonly #port: number;
  readonly #main: string;
  /** Cookies by host, `name` to `value`. */
  readonly #jar = new Map<string, Map<string, string>>();
  /** What the main origin's pages store: login keys by agent. */
  readonly #keys = new Map<string, string>();

  /** @param port of 127.0.0.1 @param main the main origin */
  constructor(port: number, main = `http://localhost:${port}`) {
    this.#port = port;
    this.#main = main;
  }

  /** The main origin's cookies, as they are sent. */
  get mainCookies(): string {
    return this.#cookiesFor(new URL(this.#main).host);
  }

  async open(from: string, headers: Record<string, string> = navigation): Promise<Opened> {
    let url = new URL(from, this.#main);
    const statuses: number[] = [];
    for (let hop = 0; hop < 12; hop++) {
      const answered = await this.#ask(url, { method: "GET", headers });
      statuses.push(answered.status);
      const led = answered.location === undefined ? await this.#byScript(url, answered) : answered;
      if (led.location === undefined) return { status: led.status, body: led.body, url: url.href, statuses };
      url = new URL(led.location, url);
      const [, id, key] = /^#(agent-[0-9a-f]{32})=(.+)$/.exec(url.hash) ?? [];
      if (id !== undefined && key !== undefined) this.#keys.set(id, key);
      url.hash = "";
    }
    throw new Error(`${from} leads round in circles`);
  }

  async #byScript(url: URL, answered: Answer): Promise<Answer> {
    const [, script] = /<script>[\s\S]*post\("\/(agents|enter)"/.exec(answered.body) ?? [];
    if (url.origin !== this.#main || script === undefined) return answered;
    const post = (content: object) =>
      this.#ask(new URL(`/${script}`, url), {
        ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) },
      });
    if (script === "agents") {
      const { status, body } = await post({ keys: [...this.#keys] });
      return status === 200 ? { ...answered, body: JSON.parse(body).html } : answered;
    }
    const id = url.pathname.split("/", 2)[1] ?? "";
    const { status, body } = await post({ agent_id: id, key: this.#keys.get(id), from: url.pathname + url.search });
    return { ...answered, location: status === 200 ? JSON.parse(body).location : "/" };
  }

  #cookiesFor(host: string): string {
    return [...(this.#jar.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  async #ask(
    url: URL,
    { method, headers, body }: { method: string; headers: Record<string, string>; body?: string },
  ): Promise<Answer> {
    const cookie = this.#cookiesFor(url.host);
    const sent = request({
      ...{ host: "127.0.0.1", port: this.#port, path: url.pathname + url.search, method, agent: false },
      headers: { host: url.host, ...headers, ...(cookie === "" ? {} : { cookie }) },
    });
    sent.end(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve).once("error", reject);
    });
    const jar = this.#jar.get(url.host) ?? new Map<string, string>();
    this.#jar.set(url.host, jar);
    for (const each of response.headers["set-cookie"] ?? []) {
      const [pair = ""] = each.split(";");
      const [name = "", value = ""] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    return { status: response.statusCode ?? 0, body: await text(response), location: response.headers.location };
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly location: string | undefined;
}
