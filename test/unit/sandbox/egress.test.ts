import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, BlockList, connect, createServer, isIP, type LookupFunction, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { type EgressProxy, type ProxyOptions, startProxy } from "../../../components/sandbox/egress/proxy.ts";
import {
  isPublicAddress,
  loopbackTargets,
  parseTarget,
  permissionFor,
} from "../../../components/sandbox/egress/rules.ts";
import { freePort } from "../../support/free-port.ts";
import { sendThenRead } from "../../support/send-then-read.ts";

const forwarderFile = fileURLToPath(new URL("../../../components/sandbox/egress/forward.mjs", import.meta.url));

describe("rules", () => {
  test.each([
    ["a.example.com", 443, undefined, "public"],
    ["example.com", 443, [], "none"],
    ["example.com", 443, ["example.com"], "public"],
    ["example.com", 22, ["example.com:443"], "none"],
    ["example.com", 443, ["example.com:443"], "any address"],
    ["example.com", 443, ["example.com", "example.com:443"], "any address"],
    ["evil-example.com", 443, ["example.com", "*.example.com"], "none"],
    ["example.com.evil.org", 443, ["example.com", "*.example.com"], "none"],
    ["a.b.example.com", 443, ["*.example.com"], "public"],
    ["example.com", 443, ["*.example.com"], "none"],
    ["example.com", 443, ["Example.COM"], "public"],
    ["127.0.0.1", 8080, ["127.0.0.1:8080"], "any address"],
    ["127.0.0.1", 8081, ["127.0.0.1:8080"], "none"],
    ["::1", 8080, ["[::1]:8080"], "any address"],
  ] as const)("%s:%i with %j is %s", (host, port, allowDomains, expected) => {
    expect(permissionFor({ host, port }, allowDomains)).toBe(expected);
  });

  test.each([
    ["example.com:443", { host: "example.com", port: 443 }],
    ["EXAMPLE.com.:443", { host: "example.com", port: 443 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["example.com", undefined],
    [":443", undefined],
    ["example.com:0", undefined],
    ["example.com:65536", undefined],
    ["example.com:x", undefined],
  ])("parses %s", (text, expected) => {
    expect(parseTarget(text)).toEqual(expected);
  });

  test("finds the listed ports of this machine's loopback", () => {
    expect(loopbackTargets(["127.0.0.1:8080", "localhost:1", "example.com:443", "127.0.0.1"])).toEqual([
      { host: "127.0.0.1", port: 8080 },
      { host: "localhost", port: 1 },
    ]);
  });

  test.each([
    ...["127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    ...["169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1"],
    ...["::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::1"],
    ...["2002:7f00:1::", "2001:db8::1", "2001::1", "not an address", "fec0::1"],
  ])("%s is not public", (address) => {
    expect(isPublicAddress(address, new BlockList())).toBe(false);
  });

  test.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"])("%s is public, if it is not ours", (address) => {
    expect(isPublicAddress(address, new BlockList())).toBe(true);
    expect(isPublicAddress(address, addressesOf(address))).toBe(false);
  });

  test.each(["2606:4700:0:0:0:0:0:1111", "2606:4700::0:1111", "2606:4700::1111%lo", "2606:4700::0.0.17.17"])(
    "an address of this machine is not public if it is written as %s",
    (address) => {
      expect(isPublicAddress(address, addressesOf("2606:4700::1111"))).toBe(false);
    },
  );

  test("no host is allowed that no entry names", () => {
    fc.assert(
      fc.property(fc.domain(), fc.array(fc.domain()), fc.integer({ min: 1, max: 65_535 }), (host, allow, port) => {
        const named = allow.some((each) => each.toLowerCase() === host.toLowerCase());
        expect(permissionFor({ host: host.toLowerCase(), port }, allow) !== "none").toBe(named);
      }),
    );
  });
});

describe("proxy", () => {
  const cleanUp: (() => void)[] = [];
  afterEach(() => {
    for (const each of cleanUp.splice(0)) each();
  });

  async function proxyFor(
    allowDomains: readonly string[] | undefined,
    lookup?: LookupFunction,
    options: Pick<ProxyOptions, "connectMs"> = {},
  ): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "egress-"));
    const socket = join(folder, "s");
    const proxy: EgressProxy = await startProxy({ socket, allowDomains, ...(lookup && { lookup }), ...options });
    cleanUp.push(() => {
      proxy.end();
      rmSync(folder, { recursive: true });
    });
    return socket;
  }

  /** Answers every connection with what it gets. */
  async function echoServer(): Promise<number> {
    const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUp.push(() => server.close());
    return portOf(server.address());
  }

  async function httpServer(): Promise<number> {
    const server = createHttpServer((incoming, outgoing) => {
      outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.host} ${JSON.stringify(incoming.headers)}`);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUp.push(() => server.close());
    return portOf(server.address());
  }

  async function tunnel(proxy: string | number, target: string): Promise<{ status: string; client: Socket }> {
    const client = connect({ ...(typeof proxy === "string" ? { path: proxy } : { port: proxy }), allowHalfOpen: true });
    cleanUp.push(() => client.destroy());
    client.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    const [head] = await once(client, "data");
    return { status: String(head), client };
  }

  function get(socket: string, url: string, headers = {}): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      request({ socketPath: socket, path: url, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece) => {
          text += piece;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      })
        .on("error", reject)
        .end();
    });
  }

  test("a listed port of this machine is reached through a tunnel", async () => {
    const port = await echoServer();
    const { status, client } = await tunnel(await proxyFor([`127.0.0.1:${port}`]), `127.0.0.1:${port}`);
    expect(status).toMatch(/^HTTP\/1.1 200/);
    client.write("hello");
    expect(String((await once(client, "data"))[0])).toBe("hello");
  });

  test("this machine is not reached by address, by name, or by an address in another form", async () => {
    const port = await echoServer();
    for (const allow of [undefined, ["localhost", "127.0.0.1"]]) {
      const socket = await proxyFor(allow);
      const names = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::1]"];
      for (const host of [...names, "[::ffff:127.0.0.1]"]) {
        expect((await tunnel(socket, `${host}:${port}`)).status, host).toMatch(/^HTTP\/1.1 (403|502)/);
      }
    }
  });

  test("a name that resolves to this machine is refused, whatever it resolved to before", async () => {
    const port = await echoServer();
    let asked = 0;
    const rebinding: LookupFunction = (_name, _options, done) => {
      asked += 1;
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    };
    const { status } = await tunnel(await proxyFor(undefined, rebinding), `rebind.example.com:${port}`);
    expect(status).toMatch(/^HTTP\/1.1 403/);
    expect(status).toContain("127.0.0.1 is not a public address");
    expect(asked).toBe(1);
  });

  test("of several addresses, those that are not public are left out", async () => {
    const port = await echoServer();
    const mixed: LookupFunction = (_name, _options, done) =>
      done(null, [
        { address: "127.0.0.1", family: 4 },
        { address: "10.0.0.1", family: 4 },
      ]);
    expect((await tunnel(await proxyFor(["a.example.com"], mixed), `a.example.com:${port}`)).status).toMatch(/ 403/);
    const listed = await tunnel(await proxyFor([`a.example.com:${port}`], mixed), `a.example.com:${port}`);
    expect(listed.status).toMatch(/ 200/);
  });

  test("plain HTTP is forwarded without the headers that are the proxy's", async () => {
    const port = await httpServer();
    const socket = await proxyFor([`127.0.0.1:${port}`]);
    const answer = await get(socket, `http://127.0.0.1:${port}/a?b=c`, { "proxy-authorization": "Basic x", a: "b" });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(`GET /a?b=c 127.0.0.1:${port} `);
    expect(answer.text).toContain('"a":"b"');
    expect(answer.text).not.toMatch(/proxy-/i);
    expect(await get(socket, `http://127.0.0.1:${port + 1}/`)).toMatchObject({ status: 403 });
    expect(await get(socket, "/relative")).toMatchObject({ status: 400 });
    expect(await get(socket, "https://example.com/")).toMatchObject({ status: 400 });
  });

  test("a refusal reaches a client that sends its whole body before it reads", async () => {
    const socket = await proxyFor([]);
    const send = (target: string) => sendThenRead(socket, `POST ${target} HTTP/1.1`);
    expect(await send("http://example.org/")).toBe(403);
    expect(await send("/relative")).toBe(400);
  });

  describe("the forwarder in the sandbox's network", () => {
    async function forwarder(socket: string, target?: number): Promise<number> {
      const port = await freePort();
      const targets = target === undefined ? [] : [`127.0.0.1:${target}`];
      const child = spawn(process.execPath, [forwarderFile, socket, String(port), ...targets], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      cleanUp.push(() => child.kill());
      await once(child.stdout, "data");
      return port;
    }

    test("passes a refusal on to a client that sends its whole body before it reads", async () => {
      const port = await forwarder(await proxyFor([]));
      expect(await sendThenRead(port, "POST http://example.org/ HTTP/1.1")).toBe(403);
    });

    test("passes everything on to slow clients that have ended their direction", async () => {
      // Of such sizes that the end of some waits in the proxy when the server has closed its connection.
      const sizes = Array.from({ length: 24 }, (_, index) => (index + 1) * 128 * 1024);
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {});
        void text(socket).then((size) => socket.end(Buffer.alloc(Number(size))));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      cleanUp.push(() => server.close());
      const target = portOf(server.address());
      const socket = await proxyFor([`127.0.0.1:${target}`]);
      for (const to of [socket, await forwarder(socket)]) {
        const received = sizes.map(async (size) => {
          const { client } = await tunnel(to, `127.0.0.1:${target}`);
          client.pause().end(String(size));
          await sleep(500);
          return (await buffer(client)).length;
        });
        expect(await Promise.all(received)).toEqual(sizes);
      }
    });
  });

  /** Answers each request with these bytes, and closes the connection. */
  async function serverOf(response: string, delayMs = 0): Promise<number> {
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => setTimeout(() => socket.end(response, "latin1"), delayMs));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUp.push(() => server.close());
    return portOf(server.address());
  }

  // The proxy is in the session service, so an exception would end all sessions.
  test.each([
    "HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 1000 OK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: a\x01b\r\n\r\n",
    "no HTTP\r\n\r\n",
    "",
  ])("a server that responds with %j is reported as a bad gateway", async (response) => {
    const port = await serverOf(response);
    const socket = await proxyFor([`127.0.0.1:${port}`]);
    expect(await get(socket, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 502 });
    expect(await get(socket, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 502 });
  });

  test("a server may take longer to answer than to accept a connection", async () => {
    const port = await serverOf("HTTP/1.1 200 OK\r\n\r\nlate", 800);
    const socket = await proxyFor([`127.0.0.1:${port}`], undefined, { connectMs: 500 });
    expect(await get(socket, `http://127.0.0.1:${port}/`)).toEqual({ status: 200, text: "late" });
  });

  test("a host that is not listed is refused without a look-up", async () => {
    const lookup: LookupFunction = () => {
      throw new Error("looked up");
    };
    const { status } = await tunnel(await proxyFor(["example.com"], lookup), "example.org:443");
    expect(status).toMatch(/^HTTP\/1.1 403/);
    expect(status).toContain("allow_domains");
  });
});

function addressesOf(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, isIP(address) === 4 ? "ipv4" : "ipv6");
  return list;
}

function portOf(address: string | AddressInfo | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
