import { lookup as lookupWithCallback } from "node:dns";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { isPublicAddress, parseTarget, permissionFor, type Target } from "./rules.ts";

export interface EgressProxy {
  end(): void;
}

export interface ProxyOptions {
  /** The Unix socket that it listens on. */
  readonly socket: string;
  readonly allowDomains: readonly string[] | undefined;
  /** Name resolution, for tests. */
  readonly lookup?: LookupFunction;
}

/** A connection was refused for what it wants to reach. */
class Refused extends Error {}

const maxConnections = 512;
const connectMs = 30_000;

/**
 * The only way out of a sandbox: a proxy for HTTP, and for everything else by CONNECT. It decides about the address that
 * it connects to, after the name is resolved, so that a name can't be made to lead to this machine later.
 */
export async function startProxy({ socket, allowDomains, lookup = systemLookup }: ProxyOptions): Promise<EgressProxy> {
  const server = createServer((incoming, outgoing) => void forward(incoming, outgoing));
  server.maxConnections = maxConnections;
  server.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    client.on("error", () => {});
    const target = parseTarget(incoming.url ?? "");
    if (target === undefined) return void client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    const upstream = open(target);
    upstream.once("connect", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.setTimeout(0);
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.once("error", (error) => {
      client.end(`HTTP/1.1 ${statusOf(error)}\r\nContent-Type: text/plain\r\n\r\n${error.message}\n`);
    });
    upstream.once("close", () => client.destroy());
    client.once("close", () => upstream.destroy());
  });
  server.on("clientError", (_error, client) => client.destroy());

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const fail = (status: number, reason: string) => {
      if (outgoing.headersSent) return void outgoing.destroy();
      outgoing.writeHead(status, { "content-type": "text/plain" }).end(`${reason}\n`);
    };
    const url = URL.parse(incoming.url ?? "");
    const target = url?.protocol === "http:" ? parseTarget(url.host, 80) : undefined;
    if (url === null || target === undefined) {
      fail(400, "this is a proxy: request an absolute http:// URL");
      return;
    }
    const upstream = request({
      method: incoming.method,
      path: `${url.pathname}${url.search}`,
      headers: { ...endToEnd(incoming.headers), host: url.host },
      createConnection: () => open(target),
    });
    upstream.once("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 502, endToEnd(response.headers));
      response.on("error", () => outgoing.destroy()).pipe(outgoing);
    });
    upstream.once("error", (error) => fail(Number.parseInt(statusOf(error), 10), error.message));
    outgoing.once("close", () => upstream.destroy());
    incoming.on("error", () => upstream.destroy()).pipe(upstream);
  }

  function open(target: Target): Socket {
    const { host, port } = target;
    const permission = permissionFor(target, allowDomains);
    const shown = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    const refusal = (address?: string) =>
      new Refused(
        address === undefined
          ? `${shown} is not allowed in this sandbox; allow_domains lists what is`
          : `${shown} is not allowed in this sandbox: ${address} is not a public address; add "${shown}" to allow_domains`,
      );
    const allows = (address: string) => permission === "any address" || isPublicAddress(address, ownAddresses());
    const checked: LookupFunction = (name, options, done) => {
      lookup(name, { ...options, all: true }, (error, found) => {
        if (error !== null) return done(error, []);
        const addresses = typeof found === "string" ? [] : found;
        const allowed = addresses.filter(({ address }) => allows(address));
        if (allowed.length === 0) return done(refusal(addresses[0]?.address), []);
        if (options.all) return done(null, allowed);
        done(null, allowed[0]?.address ?? "", allowed[0]?.family);
      });
    };
    const isRefused = permission === "none" || (isIP(host) !== 0 && !allows(host));
    const upstream = connect({ host, port, lookup: isRefused ? refuse : checked, timeout: connectMs });
    upstream.once("timeout", () => upstream.destroy(new Error(`${shown} does not answer`)));
    // A listed address skips the lookup, so the connection has to be ended here.
    if (isRefused) upstream.destroy(refusal(permission === "none" ? undefined : host));
    return upstream;
  }

  // Of a process that had the sandbox before.
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(socket, () => resolve());
  });
  server.unref();
  return {
    end: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const refuse: LookupFunction = (_name, _options, done) => done(new Refused("refused"), []);

const systemLookup: LookupFunction = (name, options, done) =>
  lookupWithCallback(name, { ...options, all: true, order: "ipv4first" }, done);

function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []));
}

/** Without the headers that are meant for the proxy alone (RFC 9110, 7.6.1). */
function endToEnd(headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const dropped = new Set([...named, "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te"]);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !dropped.has(name) && name !== "upgrade" && name !== "trailer"),
  );
}

function statusOf(error: Error): string {
  return error instanceof Refused ? "403 Forbidden" : "502 Bad Gateway";
}
