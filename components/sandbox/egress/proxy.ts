import { lookup as lookupWithCallback } from "node:dns";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { BlockList, connect, isIP, type LookupFunction, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { messageOf } from "../../lib/as-error.ts";
import { sendBody } from "../../lib/request-body.ts";
import type { Broker } from "./broker.ts";
import { brokerPathOf } from "./environment.ts";
import { endToEnd } from "./headers.ts";
import { isPublicAddress, parseTarget, permissionFor, type Target } from "./rules.ts";

export interface EgressProxy {
  end(): void;
}

export interface ProxyOptions {
  /** The Unix socket that it listens on. */
  readonly socket: string;
  readonly allowDomains: readonly string[] | undefined;
  /** Answers requests to model APIs at the proxy's own address. */
  readonly broker?: Broker | undefined;
  /** Name resolution, for tests. */
  readonly lookup?: LookupFunction;
  /** How long a server may take to accept a connection, in milliseconds. */
  readonly connectMs?: number;
}

/** The sandbox may not reach this host or address. */
class NotAllowed extends Error {}

const maxConnections = 512;

/**
 * The only way out of a sandbox: an HTTP proxy, with CONNECT for all other protocols. It resolves a name once, checks the
 * addresses, and connects to a checked one, so a later change of the name's DNS record can't lead to this machine.
 *
 * It runs in the session service, so it must survive whatever the programs in the sandbox and the servers on the internet
 * send: an exception here would end every session.
 */
export async function startProxy(options: ProxyOptions): Promise<EgressProxy> {
  const { socket, allowDomains, broker, lookup = systemLookup, connectMs = 30_000 } = options;
  const server = createServer((incoming, outgoing) => void forward(incoming, outgoing));
  server.maxConnections = maxConnections;
  server.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    client.on("error", () => {});
    const target = parseTarget(incoming.url ?? "");
    if (target === undefined) return void client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    const upstream = open(target);
    upstream.once("connect", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.on("error", (error) => {
      client.end(`HTTP/1.1 ${statusOf(error)}\r\nContent-Type: text/plain\r\n\r\n${error.message}\n`);
    });
    upstream.once("close", () => client.destroySoon());
    client.once("close", () => upstream.destroy());
  });
  server.on("clientError", (_error, client) => client.destroy());

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const fail = (status: number, reason: string) => {
      if (outgoing.headersSent) return void outgoing.destroy();
      outgoing.writeHead(status, { "content-type": "text/plain" }).end(`${reason}\n`);
    };
    outgoing.on("error", () => {});
    const brokered = brokerPathOf(incoming.url ?? "");
    if (broker !== undefined && brokered !== undefined) return void broker.handle(brokered, incoming, outgoing);
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
      response.on("error", () => outgoing.destroy());
      try {
        outgoing.writeHead(response.statusCode ?? 0, endToEnd(response.headers));
      } catch (error) {
        // Node parses some responses that it refuses to send, such as one with status 000.
        response.destroy();
        return fail(502, `the server's response is invalid: ${messageOf(error)}`);
      }
      response.pipe(outgoing);
    });
    upstream.on("error", (error) => fail(Number.parseInt(statusOf(error), 10), error.message));
    // Without an error, for instance after a response with status 101.
    upstream.once("close", () => outgoing.headersSent || fail(502, "the server closed the connection"));
    outgoing.once("close", () => upstream.destroy());
    sendBody(incoming, upstream);
  }

  function open(target: Target): Socket {
    const { host, port } = target;
    const permission = permissionFor(target, allowDomains);
    const shown = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    const refusal = (address?: string) =>
      new NotAllowed(
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
    // Only connecting is limited: a server may take long to answer.
    upstream.once("connect", () => upstream.setTimeout(0));
    // There is no lookup for an address, so the connection has to be ended here.
    if (isRefused) upstream.destroy(refusal(permission === "none" ? undefined : host));
    return upstream;
  }

  // A killed process that had the sandbox before leaves its socket.
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(socket, () => resolve());
  });
  // For instance if a connection can't be accepted, because too many files are open.
  server.on("error", () => {});
  server.unref();
  return {
    end: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const refuse: LookupFunction = (_name, _options, done) => done(new NotAllowed("refused"), []);

const systemLookup: LookupFunction = (name, options, done) =>
  lookupWithCallback(name, { ...options, all: true, order: "ipv4first" }, done);

function ownAddresses(): BlockList {
  const own = new BlockList();
  for (const { address, family } of Object.values(networkInterfaces()).flatMap((each) => each ?? [])) {
    own.addAddress(address, family === "IPv6" ? "ipv6" : "ipv4");
  }
  return own;
}

function statusOf(error: Error): string {
  return error instanceof NotAllowed ? "403 Forbidden" : "502 Bad Gateway";
}
