import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import {
  ask,
  type Echo,
  frontOf,
  kept,
  responseTo,
  sendRaw,
  startEcho,
  startRawUpstream,
  startUpstream,
  textOf,
} from "../support/upstreams.ts";

function echoOf(body: string): Echo {
  return JSON.parse(body);
}

it("hands a request to the agent as it was sent, and the answer to the browser", async () => {
  const upstream = await kept(startEcho({ "X-Answer": "1", "Set-Cookie": ["a=1; Domain=x", "changeling_x=1", "b=2"] }));
  const front = await frontOf(upstream);
  const headers = { Cookie: "changeling_x=1; mine=1", "X-Mine": "1", "X-Forwarded-For": "1.2.3.4" };
  const reply = await ask(`${front.url}a/b?c=%20d`, { method: "POST", headers }, "body");
  expect(reply.status).toBe(200);
  expect(reply.headers).toEqual({
    ...{ "content-type": "application/json", "x-answer": "1", "set-cookie": ["a=1", "b=2"], date: expect.anything() },
    ...{ connection: "close", "transfer-encoding": "chunked" },
  });
  expect(echoOf(reply.body)).toEqual({
    method: "POST",
    url: "/a/b?c=%20d",
    rawHeaders: [
      ...["Host", upstream.url.host, "Cookie", "mine=1", "X-Mine", "1", "Content-Length", "4"],
      ...["X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", front.url.host, "X-Forwarded-Proto", "http"],
      // With a body it gets a connection of its own: a used one may just be closing, and a body can't be sent twice.
      ...["Connection", "keep-alive"],
    ],
    body: "body",
    rawTrailers: [],
  });
});

it("asks below the path of the agent's URL", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf({ url: new URL("/app/?x=1", upstream.url) });
  expect(echoOf((await ask(`${front.url}a?b`)).body).url).toBe("/app/a?b");
});

it("uses a connection to the agent again where that can do no harm", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf(upstream);
  for (const method of ["GET", "OPTIONS", "GET"]) await ask(front.url, { method });
  expect(upstream.connections).toBe(1);
  await ask(front.url, { method: "POST" }, "x");
  expect(upstream.connections).toBe(2);
});

it.each([
  ["HEAD", 200, { "Content-Length": "5" }],
  ["HEAD", 200, {}],
  ["GET", 204, {}],
  ["GET", 304, { ETag: '"1"' }],
])("answers %s with %i %j and nothing behind the headers", async (method, status, headers) => {
  const upstream = await kept(startUpstream((_req, res) => res.writeHead(status, headers).end()));
  const front = await frontOf(upstream);
  const ask = (rest: string) => `${method} / HTTP/1.1\r\nHost: x\r\n${rest}\r\n`;
  const [first, second, ...rest] = (await sendRaw(front.url, ask("") + ask("Connection: close\r\n"))).split("\r\n\r\n");
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  for (const [head, connection] of [[first, "keep-alive"] as const, [second, "close"] as const]) {
    expect(head?.split("\r\n").filter((line) => !/^(Date|Keep-Alive):/.test(line))).toEqual([
      expect.stringMatching(`^HTTP/1.1 ${status} `),
      ...lines,
      `Connection: ${connection}`,
    ]);
  }
  expect(rest).toEqual([""]);
});

it("hands trailers on, both ways", async () => {
  const upstream = await kept(
    startUpstream(async (req, res) => {
      const body = await textOf(req);
      res.writeHead(200, { Trailer: "X-Sum" });
      res.write(`${body} ${req.rawTrailers.join("=")}`);
      res.addTrailers({ "X-Sum": "2", "Set-Cookie": "changeling_x=1" });
      res.end();
    }),
  );
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { method: "PUT", headers: { Trailer: "X-Sum" }, agent: false });
  outgoing.write("body");
  outgoing.addTrailers({ "X-Sum": "1", Cookie: "changeling_x=1" });
  outgoing.end();
  const incoming = await responseTo(outgoing);
  expect(await textOf(incoming)).toBe("body X-Sum=1");
  expect(incoming.headers.trailer).toBe("X-Sum");
  expect(incoming.rawTrailers).toEqual(["X-Sum", "2"]);
});

it("serves a client that knows no chunks", async () => {
  const upstream = await kept(startUpstream((_req, res) => res.write("one ", () => res.end("two"))));
  const front = await frontOf(upstream);
  const answer = await sendRaw(front.url, "GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  expect(answer.split("\r\n\r\n")[1]).toBe("one two");
  expect(answer).not.toMatch(/transfer-encoding/i);
});

it("keeps informational responses to itself", async () => {
  const upstream = await kept(
    startRawUpstream((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }),
    ),
  );
  const front = await frontOf(upstream);
  expect((await sendRaw(front.url, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).split("\r\n")[0]).toBe(
    "HTTP/1.1 200 OK",
  );
});

it("says that there is no body where one is expected", async () => {
  const front = await frontOf(await kept(startEcho()));
  const answer = await sendRaw(front.url, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(answer).toContain('"Content-Length","0"');
  expect(answer).not.toMatch(/"Transfer-Encoding"/);
});

it("asks for a body once the agent wants it", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { method: "POST", headers: { Expect: "100-continue" }, agent: false });
  outgoing.flushHeaders();
  await once(outgoing, "continue");
  outgoing.end("body");
  const echo = echoOf(await textOf(await responseTo(outgoing)));
  expect(echo.body).toBe("body");
});

it("sends no body to an agent that does not want it, and ends the connection", async () => {
  let asked = 0;
  const upstream = await kept(
    startRawUpstream((socket) =>
      socket.on("data", (data) => {
        asked += data.length;
        socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
      }),
    ),
  );
  const front = await frontOf(upstream);
  const answer = await sendRaw(
    front.url,
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
  );
  expect(answer.split("\r\n\r\n")).toEqual([expect.stringMatching(/^HTTP\/1.1 413 Too Large\r\n/), "no"]);
  expect(asked).toBeLessThan(400);
});

it("sends the body after a while to an agent that never says that it wants it", async () => {
  const upstream = await kept(
    startRawUpstream((socket) => {
      let text = "";
      socket.on("data", (data) => {
        text += data.toString();
        if (text.endsWith("body")) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    }),
  );
  const front = await frontOf(upstream);
  const outgoing = request(front.url, {
    method: "POST",
    headers: { Expect: "100-continue", "Content-Length": 4 },
    agent: false,
  });
  outgoing.flushHeaders();
  await once(outgoing, "continue");
  outgoing.end("body");
  expect(await textOf(await responseTo(outgoing))).toBe("ok");
});

it("streams events as they happen, from before the first to long after", async () => {
  let stream: ServerResponse | undefined;
  const upstream = await kept(
    startUpstream((_req, res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      stream = res;
    }),
  );
  // Also a silence that is longer than what an agent may take for its headers.
  const front = await frontOf(upstream, { headersTimeoutSeconds: 0.1 });
  const outgoing = request(front.url, { agent: false });
  outgoing.end();
  const incoming = await responseTo(outgoing);
  incoming.setEncoding("utf8");
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    await sleep(300);
    stream?.write(event);
    expect(await once(incoming, "data")).toEqual([event]);
  }
  outgoing.destroy();
  await once(stream as ServerResponse, "close");
  expect(front.log).toEqual([]);
});

it("takes large bodies both ways, unharmed", async () => {
  const upstream = await kept(startUpstream((req, res) => req.pipe(res)));
  const front = await frontOf(upstream);
  const part = randomBytes(1 << 20);
  const size = 32;
  const outgoing = request(front.url, { method: "PUT", agent: false });
  Readable.from(Array.from({ length: size }, () => part)).pipe(outgoing);
  const back = createHash("sha256");
  for await (const chunk of await responseTo(outgoing)) back.update(chunk);
  const sent = createHash("sha256");
  for (let i = 0; i < size; i += 1) sent.update(part);
  expect(back.digest("hex")).toBe(sent.digest("hex"));
});

function megabytes(count: number) {
  const part = Buffer.alloc(1 << 20);
  let taken = 0;
  const parts = function* () {
    for (let i = 0; i < count; i += 1) {
      taken += part.length;
      yield part;
    }
  };
  return { stream: Readable.from(parts()), taken: () => taken };
}

/** Less than this fits into the buffers of four sockets and three streams. */
const buffered = 24 << 20;

it("does not read more from the agent than the browser takes", async () => {
  const source = megabytes(96);
  const upstream = await kept(startUpstream((_req, res) => source.stream.pipe(res)));
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { agent: false });
  outgoing.end();
  const incoming = await responseTo(outgoing);
  await sleep(500);
  expect(source.taken()).toBeLessThan(buffered);
  let read = 0;
  for await (const chunk of incoming) read += chunk.length;
  expect(read).toBe(96 << 20);
});

it("does not read more from the browser than the agent takes", async () => {
  const source = megabytes(96);
  const upstream = await kept(
    startUpstream(async (req, res) => {
      await sleep(500);
      const taken = source.taken();
      let read = 0;
      for await (const chunk of req) read += chunk.length;
      res.end(JSON.stringify({ taken, read }));
    }),
  );
  const front = await frontOf(upstream);
  const { body } = await ask(front.url, { method: "POST" }, source.stream);
  const { taken, read } = JSON.parse(body);
  expect(taken).toBeLessThan(buffered);
  expect(read).toBe(96 << 20);
});

it("answers with what an agent says before it has read everything, and stays of use", async () => {
  const upstream = await kept(startUpstream((_req, res) => res.writeHead(413).end("too large")));
  const front = await frontOf(upstream);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const large = Buffer.alloc(32 << 20);
  expect(await ask(front.url, { method: "POST", agent }, large)).toMatchObject({ status: 413, body: "too large" });
  expect(await ask(front.url, { agent })).toMatchObject({ status: 413, body: "too large" });
  expect(front.connections).toBe(1);
  agent.destroy();
});

it("ends the agent's response when the browser goes away", async () => {
  const gone = Promise.withResolvers<void>();
  const upstream = await kept(
    startUpstream((_req, res) => {
      res.write("some");
      res.once("close", gone.resolve);
    }),
  );
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { agent: false });
  outgoing.end();
  await once(await responseTo(outgoing), "data");
  outgoing.destroy();
  await gone.promise;
  expect(front.log).toEqual([]);
});

it("breaks an upload off at the agent when the browser does", async () => {
  const arrived = Promise.withResolvers<void>();
  const brokenOff = Promise.withResolvers<unknown>();
  const upstream = await kept(
    startUpstream((req) => {
      req.once("data", () => arrived.resolve()).once("error", brokenOff.resolve);
    }),
  );
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { method: "POST", headers: { "Content-Length": 1000 }, agent: false });
  outgoing.on("error", () => {});
  outgoing.write("half");
  await arrived.promise;
  outgoing.destroy();
  expect(await brokenOff.promise).toMatchObject({ code: "ECONNRESET" });
  expect(front.log).toEqual([]);
});

it("ends its connections to agents when it stops", async () => {
  const upstream = await kept(startUpstream((_req, res) => res.write("some")));
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { agent: false });
  outgoing.end();
  const incoming = await responseTo(outgoing);
  const broken = once(incoming, "error");
  await front.stop();
  await broken;
  await expect.poll(() => upstream.open).toBe(0);
});

it("lets no request through whose end can be read in two ways", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf(upstream);
  const requests = [
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: +4\r\n\r\nbody",
    "X: a\n b\r\n\r\n",
  ];
  for (const rest of requests) {
    const answer = await sendRaw(front.url, `POST / HTTP/1.1\r\nHost: x\r\n${rest}`);
    expect(answer.split("\r\n")[0]).toBe("HTTP/1.1 400 Bad Request");
  }
  expect(upstream.connections).toBe(0);
});
