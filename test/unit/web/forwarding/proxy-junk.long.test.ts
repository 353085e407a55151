import { once } from "node:events";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  agentsAt,
  ask,
  frontOf,
  kept,
  online,
  responseTo,
  startEcho,
  startFront,
  startRawUpstream,
  startScripted,
  startUpstream,
  textOf,
} from "../../../support/upstreams.ts";

describe("an agent that hangs", () => {
  it("times out without headers", async () => {
    const upstream = await kept(startUpstream(() => {}));
    const front = await frontOf(upstream, { headersTimeoutSeconds: 0.2 });
    expect(await ask(front.url)).toMatchObject({
      status: 504,
      body: "helper: its server has not answered within 0.2 seconds.\n",
    });
    await expect.poll(() => upstream.open).toBe(0);
  });

  it("is awaited without a limit with 0, longer than idle connections are kept", async () => {
    const upstream = await kept(startUpstream((_req, res) => void setTimeout(() => res.end("at last"), 4500)));
    const front = await frontOf(upstream, { headersTimeoutSeconds: 0 });
    expect(await ask(front.url)).toMatchObject({ status: 200, body: "at last" });
  });

  it("times out if it does not read the request", async () => {
    const upstream = await kept(startRawUpstream((socket) => socket.pause()));
    const front = await frontOf(upstream, { headersTimeoutSeconds: 0.3 });
    const outgoing = request(front.url, { method: "POST", agent: false });
    outgoing.on("error", () => {});
    outgoing.end(Buffer.alloc(64 << 20));
    expect((await responseTo(outgoing)).statusCode).toBe(504);
    outgoing.destroy();
  });

  it("does not time out while the browser pauses", async () => {
    const upstream = await kept(startEcho());
    const front = await frontOf(upstream, { headersTimeoutSeconds: 0.5 });
    const outgoing = request(front.url, { method: "POST", agent: false });
    outgoing.write("one ");
    await sleep(700);
    outgoing.end("two");
    expect(JSON.parse(await textOf(await responseTo(outgoing))).body).toBe("one two");
  });
});

describe("an agent that sends invalid responses", () => {
  const malformed = /^helper: its server sent a malformed response \(.+\)\.\n$/;
  it.each([
    ["what Node reads but does not write", "HTTP/1.1 200 O\u007fK\r\n\r\n", malformed],
    ["the same in a header", "HTTP/1.1 200 OK\r\nX: a\u007fb\r\n\r\n", malformed],
    [
      "a protocol that nobody asked for",
      "HTTP/1.1 101 OK\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      /^helper: the connection to its server failed \(it ended without a response\)\.\n$/,
    ],
    ["no HTTP", "Hello\r\n\r\n", malformed],
    ["a line without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", malformed],
    ["a control character", "HTTP/1.1 200 OK\r\nX: a\u0000b\r\n\r\n", malformed],
    ["a bare carriage return", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n", malformed],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", malformed],
    [
      "a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      malformed,
    ],
    ["a status out of range", "HTTP/1.1 99999 OK\r\n\r\n", malformed],
    [
      "endless headers",
      `HTTP/1.1 200 OK\r\nX: ${"a".repeat(200_000)}\r\n\r\n`,
      /^helper: the headers of its server's response are too large\.\n$/,
    ],
    [
      "half of the headers",
      "HTTP/1.1 200 OK\r\nX: a",
      /^helper: its server closed the connection without an answer\.\n$/,
    ],
  ])("%s: is a bad gateway", async (_what, response, expected) => {
    const front = await frontOf(await kept(startScripted(response)));
    const reply = await ask(front.url);
    expect(reply.status).toBe(502);
    expect(reply.body).toMatch(expected);
  });

  it.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["a chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense"],
  ])("half a body of %s is half a body for the browser", async (_what, response) => {
    const front = await frontOf(await kept(startScripted(response)));
    const outgoing = request(front.url, { agent: false });
    outgoing.end();
    const incoming = await responseTo(outgoing);
    let body = "";
    incoming.setEncoding("utf8").on("data", (part: string) => {
      body += part;
    });
    const [error] = await once(incoming, "error");
    expect([body, error]).toEqual(["half", expect.objectContaining({ code: "ECONNRESET" })]);
  });

  it("does not affect others", async () => {
    const bad = await kept(startScripted("HTTP/1.1 200 OK\r\nX: \u0000\r\n\r\n"));
    const cut = await kept(startScripted("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    const hanging = await kept(startUpstream(() => {}));
    const good = await kept(startEcho());
    let turn = 0;
    const front = await kept(startFront(agentsAt(() => online([bad, cut, hanging, good][turn++ % 4] ?? good))));
    const waiting = Array.from({ length: 40 }, () =>
      ask(front.url).then(
        (reply) => reply.status,
        () => "cut",
      ),
    );
    const settled = waiting.filter((_, i) => i % 4 !== 2);
    expect((await Promise.all(settled)).sort()).toEqual([
      ...Array(10).fill(200),
      ...Array(10).fill(502),
      ...Array(10).fill("cut"),
    ]);
    await front.stop();
    expect(await Promise.all(waiting.filter((_, i) => i % 4 === 2))).toEqual(Array(10).fill("cut"));
  });
});
