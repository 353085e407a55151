import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createPlainServer } from "node:http";
import { createServer, type Server } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Readable } from "node:stream";
import { expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { ask, frontOf, kept, started, textOf } from "../../../support/upstreams.ts";

/** As an agent makes one for itself: nobody has signed it. */
const credentials = (() => {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made = ["req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=agent", "-keyout", key, "-out", cert];
    execFileSync("openssl", [...made, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], { stdio: "pipe" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
})();

/** Answers with the Host, and the length of the body; WebSockets with an echo. */
function secureServer(): Server {
  const server = createServer(credentials, async (req, res) => {
    const { length } = await textOf(req);
    res.writeHead(302, { Location: `https://${req.socket.localAddress}:${req.socket.localPort}/next` });
    res.end(`${req.headers.host} ${req.url} ${length}`);
  });
  new WebSocketServer({ server }).on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return server;
}

it("reaches an agent with TLS and a self-signed certificate", async () => {
  const upstream = await kept(started(secureServer()));
  expect(upstream.url.protocol).toBe("https:");
  const front = await frontOf(upstream);
  const first = await ask(`${front.url}a?b`);
  expect(first).toMatchObject({ status: 302, body: `${front.url.host} /a?b 0` });
  expect(first.headers.location).toBe(`${front.url}next`);
  await ask(`${front.url}again`);
  // Where a request may be sent again, a connection is used again.
  expect(upstream.connections).toBe(1);
  const body = Readable.from(Array(64).fill(Buffer.alloc(65_536)));
  expect((await ask(front.url, { method: "POST" }, body)).body).toBe(`${front.url.host} / 4194304`);
  expect(front.log).toEqual([]);
});

it("joins WebSockets to it", async () => {
  const upstream = await kept(started(secureServer()));
  const front = await frontOf(upstream);
  const socket = new WebSocket(front.url.href.replace("http", "ws"));
  await once(socket, "open");
  const large = Buffer.alloc(4 << 20, "0123456789");
  for (const message of [Buffer.from("text"), large]) {
    socket.send(message);
    const [data] = await once(socket, "message");
    expect(message.equals(data)).toBe(true);
  }
  const closed = once(socket, "close");
  socket.close(4001, "enough");
  expect(await closed).toEqual([4001, Buffer.from("enough")]);
  await expect.poll(() => [front.open, upstream.open]).toEqual([0, 0]);
});

it("keeps one direction open when the other ends", async () => {
  const server = createServer({ ...credentials, allowHalfOpen: true });
  server.on("upgrade", (_req, socket: Duplex) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.resume().once("end", () => socket.end("last words"));
  });
  const front = await frontOf(await kept(started(server)));
  const socket = connect({ port: Number(front.url.port), host: front.url.hostname, allowHalfOpen: true });
  socket.setEncoding("latin1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  let text = "";
  while (!text.endsWith("\r\n\r\n")) text += (await once(socket, "data"))[0];
  socket.end();
  expect(await textOf(socket.map((part) => Buffer.from(part)))).toBe("last words");
});

it("reports an https address without TLS", async () => {
  const plain = await kept(started(createPlainServer((_req, res) => res.end("plain"))));
  const front = await frontOf({ url: new URL(plain.url.href.replace("http:", "https:")) });
  const { status, body } = await ask(front.url);
  expect([status, body]).toEqual([
    502,
    expect.stringMatching(/^helper: the connection to its server failed \(\w+\)\.\n$/),
  ]);
});
