import * as z from "zod/mini";

/** The server refused, or did not respond. */
export class HttpError extends Error {
  /** undefined: no response */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }

  /** Whether the same request may succeed a little later. */
  get mayPass(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }
}

export interface Answer {
  readonly body: unknown;
  /** The path of the next page, if there is one. */
  readonly next: string | undefined;
}

const answerSeconds = 20;
/** Comments of a pull request beyond these pages are not read. */
const mostPages = 50;
const refusal = z.object({ message: z.optional(z.unknown()), error: z.optional(z.unknown()) });

/** A JSON API over HTTP, with the same headers for each request. */
export class HttpApi {
  readonly #root: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(root: string, headers: Readonly<Record<string, string>>) {
    this.#root = root.replace(/\/+$/, "");
    this.#headers = headers;
  }

  /** @throws HttpError */
  async send(method: "GET" | "POST" | "PATCH" | "PUT", path: string, body?: object): Promise<Answer> {
    const what = `${method} ${path.split("?", 1)[0]}`;
    try {
      const response = await fetch(this.#root + path, {
        method,
        headers: { ...this.#headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        signal: AbortSignal.timeout(answerSeconds * 1000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new HttpError(`${what}: ${response.status} ${reason(text)}`.trim(), response.status);
      return { body: text === "" ? undefined : JSON.parse(text), next: this.#next(response.headers.get("link")) };
    } catch (error) {
      if (error instanceof HttpError) throw error;
      const { cause, message } = error instanceof Error ? error : { cause: undefined, message: String(error) };
      throw new HttpError(`${what}: ${cause instanceof Error ? cause.message : message}`, undefined);
    }
  }

  /** The bodies of all pages. */
  async *pages(path: string): AsyncGenerator<unknown> {
    let next: string | undefined = path;
    for (let page = 0; next !== undefined && page < mostPages; page += 1) {
      const answer: Answer = await this.send("GET", next);
      yield answer.body;
      next = answer.next;
    }
  }

  /** Only within the same API, because the headers contain a token. */
  #next(link: string | null): string | undefined {
    const url = /<([^>]+)>;\s*rel="next"/.exec(link ?? "")?.[1];
    return url?.startsWith(`${this.#root}/`) ? url.slice(this.#root.length) : undefined;
  }
}

/** The server's reason for a refusal; never what was sent. */
function reason(text: string): string {
  try {
    const { message, error } = refusal.parse(JSON.parse(text));
    const said = message ?? error;
    return said === undefined ? "" : (typeof said === "string" ? said : JSON.stringify(said)).slice(0, 300);
  } catch {
    return "";
  }
}
