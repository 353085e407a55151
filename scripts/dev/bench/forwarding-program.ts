/**
 * One program of the forwarding server's benchmark: `node forwarding-program.ts agent | bare URL | ours URL FOLDER`.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { WebSocketServer } from "ws";
import type { AgentView } from "../../../components/web/forwarding/program/agents.ts";
import { Audit } from "../../../components/web/forwarding/program/audit/audit.ts";
import { openAccess } from "../../../components/web/forwarding/program/auth/access.ts";
import { createProxy } from "../../../components/web/forwarding/program/proxy/proxy.ts";
import { createForwardingServer } from "../../../components/web/forwarding/program/server.ts";

/** Where a program listens, and the headers that a request to the agent needs. */
export interface Listening {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

const [role, upstream = "", folder = ""] = process.argv.slice(2);
const roles: Record<string, () => Promise<Listening>> = {
  agent: () => listening(agentServer()),
  bare: () => listening(bareProxy(new URL(upstream))),
  ours: () => ours(new URL(upstream), folder),
};
process.stdout.write(`${JSON.stringify(await roles[role ?? ""]?.())}\n`);
// The parent process closes stdin when it is done.
process.stdin.on("end", () => process.exit()).resume();

/** `/` is a small page; `/bytes/N` has N bytes; POST bodies are counted; WebSockets stay open and idle. */
function agentServer(): http.Server {
  const page = Buffer.alloc(1000, "x");
  const part = Buffer.alloc(64 * 1024);
  const server = http.createServer(async (req, res) => {
    const size = Number(/^\/bytes\/(\d+)$/.exec(req.url ?? "")?.[1] ?? -1);
    if (size >= 0) {
      const parts = function* () {
        for (let left = size; left > 0; left -= part.length) yield part.subarray(0, left);
      };
      res.writeHead(200, { "Content-Length": size });
      Readable.from(parts(), { objectMode: false }).pipe(res);
      return;
    }
    let read = 0;
    if (req.method === "POST") for await (const chunk of req) read += chunk.length;
    const body = req.method === "POST" ? Buffer.from(String(read)) : page;
    res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": body.length }).end(body);
  });
  new WebSocketServer({ server, perMessageDeflate: false });
  return server;
}

/** The minimal proxy in Node. */
function bareProxy(target: URL): http.Server {
  const agent = new http.Agent({ keepAlive: true });
  return http.createServer((req, res) => {
    const { method, url: path, headers } = req;
    const options = { agent, host: target.hostname, port: target.port, method, path, headers };
    const outgoing = http.request({ ...options, method: method ?? "GET", path: path ?? "/" }, (incoming) => {
      res.writeHead(incoming.statusCode ?? 502, incoming.headers);
      incoming.pipe(res);
    });
    req.pipe(outgoing);
  });
}

/** The forwarding server, with one agent and a cookie for it. */
async function ours(url: URL, folder: string): Promise<Listening> {
  const agent: AgentView = {
    id: `agent-${"b".repeat(32)}`,
    name: "b",
    provider: "local",
    state: "online",
    servers: [],
  };
  const log = (event: string) => process.stderr.write(`${event}\n`);
  const ttl = { codeTtlSeconds: 900, cookieTtlSeconds: 86_400 };
  const access = openAccess({ folder, isSecure: false, log, ...ttl });
  const agents = {
    list: () => [agent],
    find: (id: string) => (id === agent.id ? agent : undefined),
    target: async () => ({ kind: "online", url }) as const,
    failed: () => {},
    refresh: async () => {},
    stop: () => {},
  };
  const config = { version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "host", ...ttl } as const;
  const parts = { config, access, agents, proxy: createProxy(agents, { log }), log, audit: new Audit(folder) };
  const { port } = await createForwardingServer(parts);
  const session = access.redeem(agent.id, access.mint(agent.id).code);
  if (session === undefined) throw new Error("the code was not good");
  const { name, value } = access.cookie(agent.id, "agent", session);
  return {
    url: `http://127.0.0.1:${port}`,
    headers: { Host: `${agent.id}.localhost:${port}`, Cookie: `${name}=${value}` },
  };
}

async function listening(server: http.Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, headers: {} };
}
