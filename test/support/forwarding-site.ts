import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Agents, AgentView } from "../../components/web/forwarding/program/agents.ts";
import { Audit } from "../../components/web/forwarding/program/audit/audit.ts";
import { type Access, openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import type { ForwardingConfig } from "../../components/web/forwarding/program/config.ts";
import type { Proxy as AgentProxy } from "../../components/web/forwarding/program/proxy/proxy.ts";
import type { ProxyRequest } from "../../components/web/forwarding/program/proxy/types.ts";
import { createForwardingServer, type ForwardingServer } from "../../components/web/forwarding/program/server.ts";
import { navigation, SmallBrowser } from "./small-browser.ts";

export const ada = agentView("a", "ada");
export const bob = agentView("b", "bob");

/** @param digit repeated to form its id */
export function agentView(digit: string, name: string, more: Partial<AgentView> = {}): AgentView {
  return { id: `agent-${digit.repeat(32)}`, name, provider: "local", state: "online", servers: ["web"], ...more };
}

export function agentsOf(views: readonly AgentView[]): Agents & { refreshed: number } {
  return {
    refreshed: 0,
    list: () => views,
    find: (id) => views.find((view) => view.id === id),
    target: async () => undefined,
    failed() {},
    async refresh() {
      this.refreshed++;
    },
    stop() {},
  };
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The `Location` header. */
  readonly location: string | undefined;
  /** `name=value` of the set cookie, for a `Cookie` header. */
  readonly cookie: string;
}

export interface Question {
  readonly method?: string;
  /** The Host header; by default the main origin's. */
  readonly host?: string;
  readonly cookie?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A complete server with the given agents, and a proxy that answers for them with the request it received. */
export interface ForwardingSite extends AsyncDisposable {
  readonly folder: string;
  readonly server: ForwardingServer;
  readonly access: Access;
  readonly agents: ReturnType<typeof agentsOf>;
  readonly log: readonly string[];
  /** The requests to the proxy, oldest first. */
  readonly proxied: readonly Omit<ProxyRequest, "publicAddressOf" | "added">[];
  /** The headers that the proxy was asked to add to responses. */
  readonly added: readonly ProxyRequest["added"][];
  ask(path: string, question?: Question): Promise<Answered>;
  /** Follows redirects within the site like a browser, with cookies by origin. */
  browser(): SmallBrowser;
  /** Logs a browser in and returns its main cookie, `name=value`. */
  login(agent: AgentView): Promise<string>;
  /** The login key that the main origin's pages store. @param cookie of the main origin */
  keyOf(agent: AgentView, cookie: string): string;
  /** What the script of `/` shows to a user with these logins. */
  list(logins: readonly (readonly [AgentView, string])[]): Promise<string>;
  /** Sends raw bytes. Returns what comes back until the connection ends, or after the first response. */
  raw(text: string): Promise<string>;
}

/** The Host of an agent's own origin. */
export function hostOf({ server }: ForwardingSite, id: string, name?: string): string {
  return `${name === undefined ? "" : `${name}.`}${id}.localhost:${server.port}`;
}

/** The options of a script's request. */
export function json(content: object): { method: string; headers: Record<string, string>; body: string } {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) };
}

/** Follows the redirects to ada's own origin, up to the URL with the ticket. @param cookie of the main origin */
export async function ticketFor(
  site: ForwardingSite,
  cookie: string,
  host = hostOf(site, ada.id),
): Promise<{ url: URL; browser: string }> {
  const asked = await site.ask("/", { host, headers: linked });
  const { pathname, search } = new URL(asked.location ?? "");
  const content = { agent_id: ada.id, key: site.keyOf(ada, cookie), from: pathname + search };
  const { body } = await site.ask("/enter", { cookie, ...json(content) });
  return { url: new URL(JSON.parse(body).location), browser: asked.cookie };
}

/** The cookie of ada's own origin, obtained with a ticket. @param cookie of the main origin */
export async function enter(site: ForwardingSite, cookie: string, host?: string): Promise<string> {
  const { url, browser } = await ticketFor(site, cookie, host);
  return (await site.ask(url.pathname + url.search, { host: url.host, cookie: browser, headers: linked })).cookie;
}

export { navigation };

/** Like `navigation`, from a page of another site. */
export const linked = { ...navigation, "sec-fetch-site": "cross-site" };

export async function openSite(
  views: readonly AgentView[] = [ada, bob],
  options: Partial<ForwardingConfig> = {},
  audit: Audit = new Audit(),
): Promise<ForwardingSite> {
  const folder = mkdtempSync(join(tmpdir(), "forwarding-"));
  const log: string[] = [];
  const write = (line: string) => void log.push(line);
  const config: ForwardingConfig = {
    ...{ version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "host" },
    ...{ codeTtlSeconds: 900, cookieTtlSeconds: 3600 },
    ...options,
  };
  const { codeTtlSeconds, cookieTtlSeconds, publicUrl } = config;
  const access = openAccess({
    folder,
    codeTtlSeconds,
    cookieTtlSeconds,
    isSecure: publicUrl !== null,
    hasAgentHosts: config.routing === "host",
    log: write,
  });
  const agents = agentsOf(views);
  const proxied: Omit<ProxyRequest, "publicAddressOf" | "added">[] = [];
  const allAdded: ProxyRequest["added"][] = [];
  const note = ({ publicAddressOf: _, added, ...at }: ProxyRequest) => {
    proxied.push(at);
    allAdded.push(added);
  };
  const proxy: AgentProxy = {
    request(_req, res, at) {
      note(at);
      res.end(`${at.agent.name} ${at.server ?? "-"} ${at.prefix} ${at.path}`);
    },
    upgrade(_req, socket, _head, at) {
      note(at);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    },
    stop() {},
  };
  const server = await createForwardingServer({ config, access, agents, proxy, log: write, audit });
  const ask = (path: string, question: Question = {}) => askServer(server, path, question);
  const keyOf = (agent: AgentView, cookie: string) => {
    const session = access.session(agent.id, "main", cookie);
    return session === undefined ? "" : access.loginKey(agent.id, session);
  };
  return {
    ...{ folder, server, access, agents, log, proxied, added: allAdded, ask },
    browser: () => new SmallBrowser(server.port, server.url),
    keyOf,
    async login(agent) {
      const { url } = server.loginUrl(agent.id);
      const { cookie } = await ask(`/authenticate${new URL(url).search}`);
      return cookie;
    },
    async list(logins) {
      const keys = logins.map(([agent, cookie]) => [agent.id, keyOf(agent, cookie) || "k".repeat(43)]);
      const cookie = logins.map(([, each]) => each).join("; ");
      return JSON.parse((await ask("/agents", { cookie, ...json({ keys }) })).body).html;
    },
    raw: (text) => rawExchange(server.port, text),
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function askServer(server: ForwardingServer, path: string, question: Question): Promise<Answered> {
  const { method = "GET", host = new URL(server.url).host, cookie, headers = {}, body } = question;
  const all = { host, ...(cookie === undefined ? {} : { cookie }), ...headers };
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: server.port,
      path,
      method,
      headers: all,
      agent: false,
      maxHeaderSize: 1e6,
    };
    const asking = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.once("end", () => {
        const [set = ""] = response.headers["set-cookie"] ?? [];
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString("utf8"),
          location: response.headers.location,
          cookie: set.split(";")[0] ?? "",
        });
      });
    });
    asking.once("error", reject);
    asking.end(body);
  });
}

function rawExchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(text, "latin1"));
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    socket.once("error", reject).once("close", () => resolve(answer));
  });
}
