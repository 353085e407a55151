import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { Session } from "../auth/signing.ts";
import { TrustedProxies } from "../client-address.ts";
import { type Entry, JsonLines } from "./json-lines.ts";
import { SessionList } from "./session-list.ts";
import { sessionLabel, visitorOf } from "./visitor.ts";

/** The login that a request was made with. */
export interface LoggedInClient {
  readonly agent: { readonly id: string; readonly name: string };
  readonly session: Session;
}

/** A count of answered requests. */
export interface RequestCount {
  /** The changeling's name; empty for the server's own pages, and for clients that are not logged in. */
  readonly agent: string;
  /** For instance `2xx`; `-` for a WebSocket, or a request that the browser canceled. */
  readonly status: string;
  readonly count: number;
}

interface Answered {
  readonly method: string;
  /** By `performance.now()`. */
  readonly started: number;
  readonly status: number | undefined;
  readonly client: LoggedInClient | undefined;
}

const longestPath = 500;
const longestHost = 260;

/**
 * Logs for the owner: `access.jsonl` (requests), `logins.jsonl` (logins and logouts) and the list of sessions. They
 * contain no query, cookie or code, and of a request's headers only the host and the user agent.
 */
export class Audit {
  readonly sessions: SessionList;
  readonly #access: JsonLines | undefined;
  readonly #logins: JsonLines | undefined;
  /** By name of the changeling and first digit of the status. */
  readonly #requests = new Map<string, Map<number, number>>();
  logins = 0;
  failedLogins = 0;

  readonly #proxies: TrustedProxies;

  /**
   * @param folder undefined to write nothing
   * @param proxies reverse proxies, which report the client
   */
  constructor(folder?: string, proxies: TrustedProxies = new TrustedProxies([])) {
    this.#proxies = proxies;
    this.sessions = new SessionList(folder === undefined ? undefined : join(folder, "session-list.json"));
    if (folder === undefined) return;
    this.#access = new JsonLines(join(folder, "access.jsonl"));
    this.#logins = new JsonLines(join(folder, "logins.jsonl"));
  }

  get requests(): readonly RequestCount[] {
    return [...this.#requests].flatMap(([agent, counts]) =>
      [...counts].map(([digit, count]) => ({ agent, status: digit === 0 ? "-" : `${digit}xx`, count })),
    );
  }

  /** @param client undefined if the client is not logged in to the requested agent, or no agent was requested */
  request(req: IncomingMessage, res: ServerResponse, client: LoggedInClient | undefined): void {
    // Node caches the address if it is read while the connection is open.
    void req.socket.remoteAddress;
    const started = performance.now();
    if (client !== undefined) this.#see(req, client);
    res.once("close", () => {
      const status = res.writableFinished ? res.statusCode : undefined;
      if (status === 403 && isLogin(req)) this.failedLogins += 1;
      this.#note(req, { method: req.method ?? "", started, status, client });
    });
  }

  upgrade(
    req: IncomingMessage,
    socket: Duplex,
    { client, status }: { client?: LoggedInClient; status?: number },
  ): void {
    // Node caches the address if it is read while the connection is open.
    void req.socket.remoteAddress;
    const started = performance.now();
    if (client !== undefined) this.#see(req, client);
    socket.once("close", () => this.#note(req, { method: "WebSocket", started, status, client }));
  }

  login(req: IncomingMessage, agentId: string, session: Session): void {
    this.logins += 1;
    const visitor = visitorOf(req, this.#proxies);
    this.sessions.begin(agentId, session, visitor);
    this.#event({ event: "login", agent: agentId, session: sessionLabel(session.id), ...visitor });
  }

  logout(session: Session): void {
    this.sessions.end(session.id);
    this.#event({ event: "logout", session: sessionLabel(session.id) });
  }

  /** @param agentId undefined for all agents */
  revoked(agentId: string | undefined): void {
    this.sessions.endAll(agentId);
    this.#event({ event: "revoked", agent: agentId ?? "all" });
  }

  minted(agentId: string): void {
    this.#event({ event: "login URL made", agent: agentId });
  }

  end(): void {
    this.sessions.save();
    this.#access?.flush();
    this.#logins?.flush();
  }

  #see(req: IncomingMessage, { agent, session }: LoggedInClient): void {
    this.sessions.see(agent.id, session, () => visitorOf(req, this.#proxies));
  }

  /** Written immediately, because these events are rare and should survive a crash. */
  #event(entry: Entry): void {
    this.#logins?.add(() => entry);
    this.#logins?.flush();
  }

  /** @param statusClass the first digit; 0 for none */
  #count(agent: string, statusClass: number): void {
    const counts = this.#requests.get(agent);
    if (counts === undefined) this.#requests.set(agent, new Map([[statusClass, 1]]));
    else counts.set(statusClass, (counts.get(statusClass) ?? 0) + 1);
  }

  #note(req: IncomingMessage, { method, started, status, client }: Answered): void {
    const agent = client?.agent.name ?? "";
    this.#count(agent, status === undefined ? 0 : Math.floor(status / 100));
    this.#access?.add(() => ({
      ...{ address: this.#proxies.clientOf(req), method },
      host: req.headers.host?.slice(0, longestHost),
      path: pathOf(req).slice(0, longestPath),
      status,
      ms: Math.round(performance.now() - started),
      ...(client === undefined ? {} : { agent, session: sessionLabel(client.session.id) }),
    }));
  }
}

/** Without the query, which may contain a code, a ticket or a secret of the agent's page. */
function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

function isLogin(req: IncomingMessage): boolean {
  return pathOf(req) === "/authenticate";
}
