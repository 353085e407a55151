import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { ask, frontOf, kept, responseTo, startUpstream } from "../../../support/upstreams.ts";

it("streams events as they happen, including the headers before the first", async () => {
  let stream: ServerResponse | undefined;
  const upstream = await kept(
    startUpstream((_req, res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      stream = res;
    }),
  );
  // Also a silence that is longer than what an agent may take for its headers.
  const front = await frontOf(upstream, { headersTimeoutSeconds: 0.5 });
  const outgoing = request(front.url, { agent: false });
  outgoing.end();
  const incoming = await responseTo(outgoing);
  incoming.setEncoding("utf8");
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    await sleep(700);
    stream?.write(event);
    expect(await once(incoming, "data")).toEqual([event]);
  }
  outgoing.destroy();
  await once(stream as ServerResponse, "close");
  expect(front.log).toEqual([]);
});

it("forwards large bodies both ways, unchanged", async () => {
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

it("does not read more from the agent than the browser accepts", async () => {
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

it("does not read more from the browser than the agent accepts", async () => {
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

it("forwards an early response, and keeps the connection usable", async () => {
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

it("aborts an upload at the agent if the browser does", async () => {
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
