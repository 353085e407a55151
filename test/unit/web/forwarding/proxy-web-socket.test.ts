import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  agentsAt,
  frontOf,
  kept,
  online,
  sendRaw,
  started,
  startFront,
  startRawUpstream,
  startWebSocketEcho,
} from "../../../support/upstreams.ts";

const handshake = "Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
const agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const nowhere = { url: new URL("http://127.0.0.1:1") };

function open(url: URL, protocols: string[] = [], headers: Record<string, string> = {}): WebSocket {
  return new WebSocket(new URL("/chat?a=1", url.href.replace("http", "ws")), protocols, { headers });
}

/** Speaks for a browser, in bytes. */
async function shakeHands(url: URL, more = ""): Promise<{ socket: Socket; head: string }> {
  const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true });
  socket.setEncoding("latin1");
  socket.write(`GET /chat HTTP/1.1\r\n${handshake}\r\n${more}`);
  let head = "";
  while (!head.includes("\r\n\r\n")) head += (await once(socket, "data"))[0];
  return { socket, head };
}

it("opens with a sub-protocol, and carries messages both ways", async () => {
  const requests: IncomingMessage[] = [];
  const upstream = await kept(startWebSocketEcho(requests));
  const front = await frontOf(upstream);
  const headers = { Cookie: "a=1; changeling_x=2", "X-Forwarded-For": "1.2.3.4" };
  const socket = open(front.url, ["one", "two"], headers);
  await once(socket, "open");
  expect(socket.protocol).toBe("two");
  for (const message of ["text", Buffer.from([0, 1, 255])]) {
    socket.send(message);
    const [data, isBinary] = await once(socket, "message");
    expect([data, isBinary]).toEqual([Buffer.from(message), typeof message !== "string"]);
  }
  expect(requests.map(({ url }) => url)).toEqual(["/chat?a=1"]);
  expect(requests[0]?.headers).toMatchObject({
    ...{ host: front.url.host, connection: "Upgrade", upgrade: "websocket", cookie: "a=1" },
    ...{ "x-forwarded-for": "127.0.0.1", "x-forwarded-host": front.url.host },
  });
  const closed = once(socket, "close");
  socket.close(4001, "enough");
  expect(await closed).toEqual([4001, Buffer.from("enough")]);
  await expect.poll(() => [front.open, upstream.open]).toEqual([0, 0]);
});

it("is accepted by a server that compares Origin with Host", async () => {
  const server = createServer();
  const sameOrigin = ({ origin, req }: { origin: string; req: IncomingMessage }) =>
    new URL(origin).host === req.headers.host;
  new WebSocketServer({ server, verifyClient: sameOrigin }).on("connection", (socket) => socket.send("welcome"));
  const front = await frontOf(await kept(started(server)));
  const own = open(front.url, [], { Origin: front.url.origin });
  expect(String((await once(own, "message"))[0])).toBe("welcome");
  own.terminate();
  const foreign = open(front.url, [], { Origin: "http://evil.example" });
  expect(String((await once(foreign, "error"))[0])).toContain("401");
});

it("carries large messages", async () => {
  const front = await frontOf(await kept(startWebSocketEcho()));
  const socket = open(front.url);
  await once(socket, "open");
  const large = Buffer.alloc(24 << 20, "0123456789");
  socket.send(large);
  const [data] = await once(socket, "message");
  expect(large.equals(data)).toBe(true);
  socket.terminate();
});

it("loses no data right after the handshake", async () => {
  const upstream = await kept(
    startRawUpstream((socket) => {
      let text = "";
      socket.on("data", (data) => {
        if (text === "") socket.write(`${agreed}Set-Cookie: changeling_x=1\r\nSet-Cookie: a=1; Domain=x\r\n\r\nfirst`);
        text += data.toString();
        if (text.endsWith("early")) socket.end(" heard");
      });
    }),
  );
  const front = await frontOf(upstream);
  const { socket, head } = await shakeHands(front.url, "early");
  let text = head;
  for await (const part of socket) text += part;
  expect(text).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: a=1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst heard",
  );
});

it("keeps one direction open when the other ends", async () => {
  const upstream = await kept(
    startRawUpstream((socket) => {
      socket.once("data", () => socket.write(`${agreed}\r\n`));
      socket.once("end", () => socket.end("last words"));
    }),
  );
  const front = await frontOf(upstream);
  const { socket } = await shakeHands(front.url);
  socket.end();
  let text = "";
  for await (const part of socket) text += part;
  expect(text).toBe("last words");
  await expect.poll(() => [front.open, upstream.open]).toEqual([0, 0]);
});

it("keeps the browser's direction open when the agent's ends", async () => {
  const heard = Promise.withResolvers<string>();
  const upstream = await kept(
    startRawUpstream((socket) => {
      let text = "";
      socket.once("data", () => {
        socket.end(`${agreed}\r\n`);
        socket.on("data", (data) => {
          text += data.toString();
        });
      });
      socket.once("end", () => heard.resolve(text));
    }),
  );
  const front = await frontOf(upstream);
  const { socket } = await shakeHands(front.url);
  await once(socket.resume(), "end");
  socket.end("last words");
  expect(await heard.promise).toBe("last words");
});

it.each(["agent", "browser", "front"] as const)("ends on both sides when the %s drops it", async (side) => {
  const agentSide = Promise.withResolvers<Socket>();
  const upstream = await kept(
    startRawUpstream((socket) => {
      socket.once("data", () => socket.write(`${agreed}\r\n`));
      socket.once("end", () => socket.end()).resume();
      agentSide.resolve(socket);
    }),
  );
  const front = await frontOf(upstream);
  const { socket } = await shakeHands(front.url);
  socket.on("error", () => {}).once("end", () => socket.end());
  socket.resume();
  const gone = once(socket, "close");
  if (side === "agent") (await agentSide.promise).resetAndDestroy();
  else if (side === "browser") socket.resetAndDestroy();
  else await front.stop();
  await gone;
  await expect.poll(() => [front.open, upstream.open]).toEqual([0, 0]);
});

it("forwards the agent's refusal", async () => {
  const refusing = await kept(
    startRawUpstream((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 403 Forbidden\r\nX-Why: you\r\nContent-Length: 4\r\n\r\nno!\n")),
    ),
  );
  const front = await frontOf(refusing);
  const answer = await sendRaw(front.url, `GET /chat HTTP/1.1\r\n${handshake}\r\n`);
  const [head = "", body] = answer.split("\r\n\r\n");
  expect([head.split("\r\n")[0], body]).toEqual(["HTTP/1.1 403 Forbidden", "no!\n"]);
  expect(head).toMatch(/\r\nX-Why: you\r\n/);
});

it.each([
  [
    "nobody is there",
    () => online(nowhere),
    "502 Bad Gateway",
    "helper: nothing answers at its server's address (ECONNREFUSED).\n",
  ],
  [
    "it is offline",
    () => ({ kind: "offline", reason: "it was stopped" }) as const,
    "503 Service Unavailable",
    "helper: it was stopped.\n",
  ],
  ["there is no such server", () => undefined, "404 Not Found", "helper: it has registered no server.\n"],
])("answers in HTTP when %s", async (_what, target, status, text) => {
  const front = await kept(startFront(agentsAt(target)));
  const answer = await sendRaw(front.url, `GET /chat?secret=1 HTTP/1.1\r\n${handshake}\r\n`);
  const [head = "", body] = answer.split("\r\n\r\n");
  expect([head.split("\r\n")[0], body]).toEqual([`HTTP/1.1 ${status}`, text]);
  expect(head).toMatch(/\r\nConnection: close\r\n|\r\nConnection: close$/);
  const logged = "helper did not answer WebSocket /chat: nothing answers at its server's address (ECONNREFUSED) (502)";
  expect(front.log).toEqual(status.startsWith("502") ? [logged] : []);
});

it("times out if the agent does not answer", async () => {
  const upstream = await kept(startRawUpstream((socket) => socket.once("end", () => socket.end()).resume()));
  const front = await frontOf(upstream, { headersTimeoutSeconds: 0.2 });
  const answer = await sendRaw(front.url, `GET /chat HTTP/1.1\r\n${handshake}\r\n`);
  expect(answer.split("\r\n")[0]).toBe("HTTP/1.1 504 Gateway Timeout");
  await expect.poll(() => upstream.open).toBe(0);
});

it("survives a browser that disconnects during the handshake", async () => {
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<ReturnType<typeof online>>();
  const upstream = await kept(startWebSocketEcho());
  const agents = agentsAt(() => {
    asked.resolve();
    return found.promise;
  });
  const front = await kept(startFront(agents));
  const socket = connect(Number(front.url.port), front.url.hostname);
  socket.write(`GET /chat HTTP/1.1\r\n${handshake}\r\n`);
  await asked.promise;
  socket.resetAndDestroy();
  await expect.poll(() => front.open).toBe(0);
  found.resolve(online(upstream));
  await found.promise;
  expect([upstream.connections, front.log]).toEqual([0, []]);
});

it("supports no other upgrade", async () => {
  const upstream = await kept(startWebSocketEcho());
  const front = await frontOf(upstream);
  const answer = await sendRaw(front.url, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  expect(answer.split("\r\n")[0]).toBe("HTTP/1.1 501 Not Implemented");
  expect(upstream.connections).toBe(0);
});
