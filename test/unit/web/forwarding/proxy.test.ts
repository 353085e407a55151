import { once } from "node:events";
import { request } from "node:http";
import { expect, it } from "vitest";
import {
  agentsAt,
  ask,
  type Echo,
  frontOf,
  kept,
  responseTo,
  sendRaw,
  startEcho,
  startFront,
  startRawUpstream,
  startUpstream,
  textOf,
} from "../../../support/upstreams.ts";

function echoOf(body: string): Echo {
  return JSON.parse(body);
}

it("accepts larger headers from an agent than from a browser", async () => {
  const long = "a".repeat(100_000);
  const upstream = await kept(startUpstream((_req, res) => res.writeHead(200, { "X-Long": long }).end("all")));
  const front = await frontOf(upstream);
  const { status, headers } = await ask(front.url, { maxHeaderSize: 200_000 });
  expect([status, headers["x-long"]]).toEqual([200, long]);
});

it("leads a redirect to another server of the agent through the login", async () => {
  const other = await kept(startEcho());
  const location = `http://localhost:${other.url.port}/next`;
  const upstream = await kept(startUpstream((_req, res) => res.writeHead(302, { Location: location }).end()));
  const ports = new Map([
    ["web", upstream.url],
    ["admin", other.url],
  ]);
  const front = await kept(startFront(agentsAt(() => ({ kind: "online", url: upstream.url, ports }))));
  const { headers } = await ask(front.url);
  expect(headers.location).toBe(`${front.url.origin}/admin/next`);
});

it("forwards requests and responses unchanged", async () => {
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
      ...["Host", front.url.host, "Cookie", "mine=1", "X-Mine", "1", "Content-Length", "4"],
      ...["X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", front.url.host, "X-Forwarded-Proto", "http"],
      // With a body it gets a connection of its own: a used one may just be closing, and a body can't be sent twice.
      ...["Connection", "keep-alive"],
    ],
    body: "body",
    rawTrailers: [],
  });
});

it("prepends the path of the agent's URL", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf({ url: new URL("/app/?x=1", upstream.url) });
  expect(echoOf((await ask(`${front.url}a?b`)).body).url).toBe("/app/a?b");
});

it("reuses a connection to the agent for safe requests", async () => {
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

it("forwards trailers both ways", async () => {
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

it("serves a client without chunked encoding", async () => {
  const upstream = await kept(startUpstream((_req, res) => res.write("one ", () => res.end("two"))));
  const front = await frontOf(upstream);
  const answer = await sendRaw(front.url, "GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  expect(answer.split("\r\n\r\n")[1]).toBe("one two");
  expect(answer).not.toMatch(/transfer-encoding/i);
});

it("does not forward informational responses", async () => {
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

it("sends a zero length if a body is expected but missing", async () => {
  const front = await frontOf(await kept(startEcho()));
  const answer = await sendRaw(front.url, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(answer).toContain('"Content-Length","0"');
  expect(answer).not.toMatch(/"Transfer-Encoding"/);
});

it("requests the body once the agent continues", async () => {
  const upstream = await kept(startEcho());
  const front = await frontOf(upstream);
  const outgoing = request(front.url, { method: "POST", headers: { Expect: "100-continue" }, agent: false });
  outgoing.flushHeaders();
  await once(outgoing, "continue");
  outgoing.end("body");
  const echo = echoOf(await textOf(await responseTo(outgoing)));
  expect(echo.body).toBe("body");
});

it("sends no body to an agent that rejects it, and ends the connection", async () => {
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

it("sends the body after a delay to an agent that never continues", async () => {
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

it("rejects requests with an ambiguous end", async () => {
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
