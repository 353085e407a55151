import * as z from "zod/mini";

/** The other side said no, or nothing. */
export class HttpError extends Error {
  /** undefined: there was no answer */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }

  /** Whether the same request may go through a little later. */
  get mayPass(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }
}

export interface Answer {
  readonly body: unknown;
  /** The path of the next page, where there is one. */
  readonly next: string | undefined;
}

const answerSeconds = 20;
/** A pull request with more comments than fit on these is not looked through to its end. */
const mostPages = 50;
const refusal = z.object({ message: z.optional(z.unknown()), error: z.optional(z.unknown()) });

/** A JSON interface over HTTP, with the same headers for each request. */
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

  /** Only of the same interface: the headers hold a token. */
  #next(link: string | null): string | undefined {
    const url = /<([^>]+)>;\s*rel="next"/.exec(link ?? "")?.[1];
    return url?.startsWith(`${this.#root}/`) ? url.slice(this.#root.length) : undefined;
  }
}

/** What the other side says of its no; never what was sent. */
function reason(text: string): string {
  try {
    const { message, error } = refusal.parse(JSON.parse(text));
    const said = message ?? error;
    return said === undefined ? "" : (typeof said === "string" ? said : JSON.stringify(said)).slice(0, 300);
  } catch {
    return "";
  }
}
