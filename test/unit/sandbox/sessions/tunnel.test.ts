import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  creditWindow,
  maxPart,
  maxRequestBody,
  partsOf,
  type RunnerFrame,
  type WorkerFrame,
} from "../../../../components/sandbox/sessions/link-protocol.ts";
import { LinkedRequests } from "../../../../components/sandbox/sessions/runner/linked-requests.ts";
import { Tunnel } from "../../../../components/sandbox/sessions/worker/tunnel.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** The worker's end and the runner's, without a WebSocket between them. */
async function joined(handler: Parameters<typeof createServer>[1]) {
  const listening = createServer(handler);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port } = listening.address() as AddressInfo;
  const sent = { toRunner: 0, toWorker: 0, cancels: 0 };
  const tunnel: Tunnel = new Tunnel({
    send: (message) => {
      sent.toRunner += message.length;
      if (typeof message === "string") {
        if (message.includes('"cancel"')) sent.cancels++;
        queueMicrotask(() => requests.frame(message));
      } else queueMicrotask(() => requests.part(message));
    },
  });
  const requests: LinkedRequests = new LinkedRequests({
    ...{ port, secret: "secret" },
    send: (message) => {
      sent.toWorker += message.length;
      queueMicrotask(() => tunnel.receive(typeof message === "string" ? message : Uint8Array.from(message).buffer));
    },
  });
  return { tunnel, requests, sent };
}

const path = "/runs/0123456789abcdef0123-1-1";
const request = (method: string, body?: string) => new Request(`http://runner${path}`, { method, body: body ?? null });

describe("a request through the link", () => {
  it("arrives as it was sent, with the runner's secret, and so does the response", async () => {
    const { tunnel } = await joined((incoming, response) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      incoming.on("end", () => {
        response.writeHead(409, { "content-type": "application/json" });
        response.end(JSON.stringify([incoming.method, incoming.url, incoming.headers.authorization, body]));
      });
    });
    const body = "ä\u{1F600}".repeat(100_000);
    const response = await tunnel.fetch(request("PUT", body));
    expect([response.status, response.headers.get("content-type")]).toEqual([409, "application/json"]);
    expect(await response.json()).toEqual(["PUT", path, "Bearer secret", body]);
    expect(tunnel.isIdle).toBe(true);
  });

  it("takes no more of a response than is read", async () => {
    const { tunnel, sent } = await joined((_, response) => {
      response.write("x".repeat(20 * creditWindow));
      response.end();
    });
    const response = await tunnel.fetch(request("GET"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent.toWorker).toBeLessThan(creditWindow + 10_000);
    expect((await response.text()).length).toBe(20 * creditWindow);
  });

  it("is cancelled if the reader goes away, also while the runner waits for room", async () => {
    const closed = Promise.withResolvers<void>();
    const { tunnel, sent } = await joined((_, response) => {
      response.once("close", () => closed.resolve());
      response.write("x".repeat(20 * creditWindow));
    });
    const response = await tunnel.fetch(request("GET"));
    await response.body?.cancel();
    await closed.promise;
    expect([sent.cancels, tunnel.isIdle]).toEqual([1, true]);
  });

  it("fails if the runner's server breaks off, or the link ends", async () => {
    const { tunnel, requests } = await joined((incoming, response) => {
      if (incoming.method === "GET") return void response.destroy();
      response.write("part");
      if (incoming.method === "POST") setTimeout(() => response.destroy(), 20);
    });
    await expect(tunnel.fetch(request("GET"))).rejects.toMatchObject({ code: "failed" });
    await expect((await tunnel.fetch(request("POST"))).text()).rejects.toThrow("broke off");
    const open = (await tunnel.fetch(request("PUT", "{}"))).text();
    requests.end();
    tunnel.end();
    await expect(open).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a hostile side", () => {
  it("can't send the worker more than it asked for", async () => {
    const frames: WorkerFrame[] = [];
    const tunnel = new Tunnel({ send: (text) => void frames.push(JSON.parse(String(text))) });
    const asked = tunnel.fetch(request("GET"));
    await Promise.resolve();
    while (frames.length === 0) await new Promise(setImmediate);
    const [{ id } = { id: 0 }] = frames;
    const say = (frame: RunnerFrame) => tunnel.receive(JSON.stringify(frame));
    say({ frame: "response", id, status: 200, type: "text/plain" });
    await asked;
    const flood = () => {
      for (const part of partsOf(id, new Uint8Array(creditWindow + 1))) tunnel.receive(part.buffer);
    };
    expect(flood).toThrow("more bytes than were granted");
  });

  const id = 7;
  const begin = JSON.stringify({ frame: "request", id, method: "PUT", path } satisfies WorkerFrame);
  it.each<[string, readonly (string | Uint8Array)[]]>([
    ["another method", [JSON.stringify({ frame: "request", id, method: "TRACE", path })]],
    ["another path", [JSON.stringify({ frame: "request", id, method: "GET", path: "/runs/../../etc" })]],
    ["a path with a query", [JSON.stringify({ frame: "request", id, method: "GET", path: `${path}?a=b` })]],
    ["an absolute URL", [JSON.stringify({ frame: "request", id, method: "GET", path: "http://elsewhere/" })]],
    ["two requests of one id", [begin, begin]],
    ["a body that is too large", [begin, ...partsOf(id, new Uint8Array(maxRequestBody + 1))]],
    ["a part of 2 MB", [begin, new Uint8Array(4 + 32 * maxPart)]],
    ["more credit than the window has", [begin, JSON.stringify({ frame: "credit", id, bytes: 1 })]],
    ["an id that is no number", [JSON.stringify({ frame: "cancel", id: "x" })]],
    ["requests without an end", Array.from({ length: 300 }, (_, at) => begin.replace('"id":7', `"id":${at + 100}`))],
  ])("can't send the runner %s", (_, messages) => {
    const requests = new LinkedRequests({ port: 1, secret: "secret", send: () => {} });
    expect(() => {
      for (const message of messages) {
        if (typeof message === "string") requests.frame(message);
        else requests.part(message);
      }
    }).toThrow();
  });
});
