import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod/mini";

export interface StoredComment {
  readonly id: number;
  body: string;
  readonly author: string;
}

const posted = z.object({ body: z.string() });

/** GitHub's and GitLab's APIs for comments of one pull request, over HTTP, in memory. */
export class FakeForge {
  readonly comments: StoredComment[] = [];
  /** `POST /repos/…`, in order. */
  readonly requests: string[] = [];
  /** Permissions by token. An app's token may not request its own login. */
  readonly tokens: Readonly<Record<string, { login: string; isApp?: boolean; mayWrite: boolean }>>;
  /** Statuses to respond with, in order, instead of handling the request. */
  readonly faults: number[] = [];
  /** The method of the next request to handle without a response. */
  loses: string | undefined;
  pageSize = 100;
  /** The base of links to next pages; by default this server. */
  linkRoot: string | undefined;
  readonly #server: Server;

  constructor(tokens: FakeForge["tokens"]) {
    this.tokens = tokens;
    this.#server = createServer((request, response) => {
      this.#answer(request).then(
        ({ status, body, link }) => {
          if (status === 0) return void response.destroy();
          const headers = { "content-type": "application/json", ...(link === undefined ? {} : { link }) };
          response.writeHead(status, headers).end(JSON.stringify(body));
        },
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown; link?: string }> {
    const url = new URL(request.url ?? "", `http://${request.headers.host}`);
    const method = request.method ?? "";
    this.requests.push(`${method} ${request.url}`);
    const text = Buffer.concat(await request.toArray()).toString("utf8");
    const fault = this.faults.shift();
    if (fault !== undefined) return { status: fault, body: { message: "not now" } };
    const answer = this.#route(method, url, text, request);
    if (method !== this.loses) return answer;
    this.loses = undefined;
    return { status: 0, body: undefined };
  }

  #route(method: string, url: URL, text: string, { headers }: IncomingMessage) {
    const isGitlab = url.pathname.startsWith("/api/v4/");
    const token = isGitlab ? String(headers["private-token"]) : (headers.authorization ?? "").replace(/^Bearer /, "");
    const who = this.tokens[token];
    if (who === undefined) return { status: 401, body: { message: "Bad credentials" } };
    const path = url.pathname.replace(/^\/api\/v4/, "");
    if (path === "/user") {
      if (who.isApp) return { status: 403, body: { message: "Resource not accessible by integration" } };
      return { status: 200, body: isGitlab ? { username: who.login } : { login: who.login } };
    }
    const all = isGitlab ? "/projects/42/merge_requests/7/notes" : "/repos/me/fleet/issues/7/comments";
    const one = isGitlab
      ? /^\/projects\/42\/merge_requests\/7\/notes\/(\d+)$/
      : /^\/repos\/me\/fleet\/issues\/comments\/(\d+)$/;
    if (method === "GET" && path === all) return this.#page(url, isGitlab);
    if (!who.mayWrite) return { status: 403, body: { message: "Resource not accessible by integration" } };
    if (method === "POST" && path === all) {
      const comment = { id: 100 + this.comments.length, body: posted.parse(JSON.parse(text)).body, author: who.login };
      this.comments.push(comment);
      return { status: 201, body: { id: comment.id } };
    }
    const found = this.comments.find(({ id }) => String(id) === one.exec(path)?.[1]);
    if (method !== (isGitlab ? "PUT" : "PATCH") || found === undefined)
      return { status: 404, body: { message: "Not Found" } };
    found.body = posted.parse(JSON.parse(text)).body;
    return { status: 200, body: { id: found.id } };
  }

  #page(url: URL, isGitlab: boolean) {
    const page = Number(url.searchParams.get("page") ?? 1);
    const shown = this.comments.slice((page - 1) * this.pageSize, page * this.pageSize);
    const body = shown.map(({ id, body, author }) =>
      isGitlab ? { id, body, author: { username: author } } : { id, body, user: { login: author } },
    );
    const next = new URL(url.pathname + url.search, this.linkRoot ?? url);
    next.searchParams.set("page", String(page + 1));
    const hasNext = page * this.pageSize < this.comments.length;
    return { status: 200, body, ...(hasNext ? { link: `<${next}>; rel="next", <${url}>; rel="last"` } : {}) };
  }
}
