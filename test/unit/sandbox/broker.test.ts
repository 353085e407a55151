import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { Broker } from "../../../components/sandbox/egress/broker.ts";
import { startProxy } from "../../../components/sandbox/egress/proxy.ts";
import {
  apiOf,
  ask,
  atEnd,
  endLabs,
  key,
  type Lab,
  lab,
  listening,
  responseTo,
  start,
} from "../../support/broker-lab.ts";
import "../../support/properties.ts";
import { sendThenRead } from "../../support/send-then-read.ts";

afterEach(() => endLabs());

describe("a request with the token", () => {
  test.each([
    ["anthropic", ["x-api-key", key], "/v1/messages?beta=true"],
    ["anthropic", ["authorization", `Bearer ${key}`], "/v1/messages/count_tokens"],
    ["openai", ["authorization", `Bearer ${key}`], "/responses"],
  ] as const)("reaches %s with %j instead", async (kind, credential, path) => {
    const api = await apiOf((_, outgoing) => outgoing.setHeader("request-id", "r1").end("answer"));
    const at = await lab(`${api.url}/base/`, { kind, credential });
    const { token } = at.access;
    for (const headers of [{ "x-api-key": token }, { "x-api-key": "", authorization: `Bearer ${token}` }]) {
      expect(await ask(at, { path, headers, body: "hello" })).toMatchObject({
        ...{ status: 200, text: "answer", isWhole: true },
        headers: { "request-id": "r1" },
      });
    }
    expect(api.requests).toHaveLength(2);
    for (const { method, url, headers } of api.requests) {
      expect([method, url, headers[credential[0]]]).toEqual(["POST", `/base${path}`, credential[1]]);
      expect(JSON.stringify(headers)).not.toContain(at.access.token);
      expect(headers.host).toBe(new URL(api.url).host);
    }
  });

  test("may come through the proxy too", async () => {
    const api = await apiOf();
    const at = await lab(api.url);
    expect(at.access.url).toBe("http://127.0.0.1:3128/model");
    const answer = await ask(at, { path: `${at.access.url}/v1/messages` });
    expect(answer).toMatchObject({ status: 200, headers: { connection: "close" } });
    expect(api.requests).toMatchObject([{ url: "/v1/messages", headers: { "x-api-key": key } }]);
  });

  const name = fc.oneof(
    fc.constantFrom(
      "authorization",
      "cookie",
      "x-goog-api-key",
      "api-key",
      "x-portkey-custom-host",
      "helicone-target-url",
    ),
    fc.constantFrom(
      "host",
      "proxy-authorization",
      "openai-organization",
      "x-forwarded-host",
      "anthropic-beta",
      "x-stainless-os",
    ),
    fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
  );
  // These say how the request is sent.
  const framing = [
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
    "connection",
    "trailer",
    "te",
    "keep-alive",
  ];
  const sentHeaders = fc.dictionary(
    name.filter((each) => !framing.includes(each) && each !== "x-api-key"),
    fc.stringMatching(/^[!-~]{1,30}$/),
    { maxKeys: 5 },
  );

  // `webQueryParameters` takes a second of processor time.
  const sentQuery = fc
    .array(fc.tuple(fc.oneof(fc.constantFrom("beta", "Beta", "key"), fc.string()), fc.string()), { maxLength: 4 })
    .map((pairs) => new URLSearchParams(pairs).toString());

  test("passes no header and no query on but those of the CLIs, and one credential", async () => {
    const api = await apiOf();
    const at = await lab(api.url, { headers: { "x-team": "blue" } });
    const allowed =
      /^(accept|content-type|content-encoding|user-agent|x-client-request-id|anthropic-(beta|version|dangerous-direct-browser-access)|x-app|x-claude-.*|x-stainless-.*)$/;
    await fc.assert(
      fc.asyncProperty(sentHeaders, sentQuery, async (headers, query) => {
        const answer = await ask(at, { path: `/v1/messages?${query}`, headers });
        expect(answer).toMatchObject({ status: 200 });
        const seen = api.requests.at(-1);
        const { "x-api-key": credential, "x-team": team, host, connection, ...rest } = seen?.headers ?? {};
        delete rest["content-length"];
        delete rest["transfer-encoding"];
        expect([credential, team, host, connection]).toEqual([key, "blue", new URL(api.url).host, "close"]);
        expect(rest["accept-encoding"]).toBe("identity");
        delete rest["accept-encoding"];
        const passed = Object.entries(headers).filter(([each]) => allowed.test(each));
        expect(rest).toEqual(Object.fromEntries(passed));
        const beta = new URLSearchParams(query).getAll("beta");
        const url = new URL(seen?.url ?? "", api.url);
        expect([url.pathname, [...url.searchParams.keys()]]).toEqual(["/v1/messages", beta.map(() => "beta")]);
      }),
      { numRuns: 40 },
    );
  });

  test("reaches no other path, with no other method", async () => {
    const api = await apiOf();
    const at = await lab(api.url);
    const other = fc.oneof(
      fc.constantFrom("/v1/messages/", "//v1/messages", "/v1/messages/../files", "/v1/messages%2fbatches", "/v1/files"),
      fc.constantFrom("/v1/messages#x", "/%761/messages", "/v1/messages/batches", "/../v1/messages", "/responses", "/"),
      fc
        .webPath()
        .filter((path) => !/^\/v1\/messages(\/count_tokens)?$/.test(path))
        .map((path) => `/${path.slice(1)}`),
    );
    await fc.assert(
      fc.asyncProperty(other, fc.constantFrom("GET", "POST", "PUT", "DELETE"), async (path, method) => {
        expect(await ask(at, { path, method })).toMatchObject({ status: 404 });
      }),
      { numRuns: 40 },
    );
    expect(await ask(at, { method: "GET" })).toMatchObject({ status: 404 });
    expect(api.requests).toEqual([]);
  });

  test("of a model's name is answered", async () => {
    const api = await apiOf();
    const at = await lab(api.url, { kind: "openai" });
    expect(await ask(at, { path: "/models?client_version=1&key=x", method: "GET" })).toMatchObject({ status: 200 });
    expect(api.requests).toMatchObject([{ method: "GET", url: "/models?client_version=1" }]);
  });
});

describe("a request without a valid token", () => {
  test("never reaches the API", async () => {
    const api = await apiOf();
    const at = await lab(api.url);
    const other = await lab(api.url);
    const ended = at.broker.access({ kind: "anthropic", baseUrl: api.url, credential: ["x-api-key", key] });
    ended.end();
    const tokens = ["", "x", key, other.access.token, ended.token, `${at.access.token}x`, at.access.token.slice(0, -1)];
    for (const token of tokens) {
      for (const headers of [{ "x-api-key": token }, { "x-api-key": "", authorization: `Bearer ${token}` }]) {
        const answer = await ask(at, { headers });
        expect(answer, token).toMatchObject({ status: 401 });
        expect(JSON.parse(answer?.text ?? "")).toEqual({
          type: "error",
          error: {
            ...{ type: "authentication_error", code: "authentication_error", param: null },
            message: "this token is not valid, or not any more",
          },
        });
      }
    }
    expect(api.requests).toEqual([]);
    at.broker.end();
    expect(await ask(at)).toMatchObject({ status: 401 });
  });

  test("is a request to the proxy where there is no broker", async () => {
    const folder = mkdtempSync(join(tmpdir(), "broker-"));
    const socket = join(folder, "s");
    const proxy = await startProxy({ socket, allowDomains: [] });
    atEnd(() => {
      proxy.end();
      rmSync(folder, { recursive: true });
    });
    const access = { url: "", token: "x", end: () => {} };
    expect(await ask({ broker: new Broker(), socket, access })).toMatchObject({ status: 400 });
  });
});

describe("streams", () => {
  const chunk = "event: x\ndata: {}\n\n";

  test("arrive as they are written, headers first", async () => {
    let answering: ServerResponse | undefined;
    const api = await apiOf((_, outgoing) => {
      outgoing.flushHeaders();
      answering = outgoing;
    });
    const response = await responseTo(start(await lab(api.url)));
    answering?.write(chunk);
    const pieces: string[] = [];
    for await (const piece of response) {
      pieces.push(String(piece));
      if (pieces.length === 1) answering?.end("end");
    }
    expect(pieces).toEqual([chunk, "end"]);
  });

  test("of many megabytes arrive whole, in both directions", async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef");
    const hash = (data: Buffer | string) => createHash("sha256").update(data).digest("hex");
    const api = await apiOf(async (incoming, outgoing) => {
      const received = createHash("sha256");
      for await (const piece of incoming) received.update(piece);
      outgoing.setHeader("x-received", received.digest("hex")).end(body);
    });
    const at = await lab(api.url);
    const answers = await Promise.all([
      ask(at, { body }),
      ask(at, { body, headers: { "transfer-encoding": "chunked" } }),
    ]);
    for (const answer of answers) {
      expect(answer?.headers["x-received"]).toBe(hash(body));
      expect(hash(answer?.text ?? "")).toBe(hash(body));
    }
  });

  test("end on both sides when the access ends, or either side does", async () => {
    for (const end of ["access", "client", "api", "sandbox"] as const) {
      let isOpen = true;
      let cut = () => {};
      const api = await apiOf((incoming, outgoing) => {
        outgoing.on("close", () => {
          isOpen = false;
        });
        incoming.resume();
        outgoing.write(chunk);
        cut = () => outgoing.destroy();
      });
      const at = await lab(api.url);
      const asking = start(at);
      const response = await responseTo(asking);
      response.on("error", () => {});
      await once(response, "data");
      const closed = new Promise((resolve) => response.once("close", resolve));
      if (end === "access") at.access.end();
      if (end === "sandbox") at.broker.end();
      if (end === "client") asking.destroy();
      if (end === "api") cut();
      await closed;
      expect(response.complete, end).toBe(false);
      await expect.poll(() => isOpen, { message: end }).toBe(false);
    }
  });

  test("end with the access also before the API has answered", async () => {
    const api = await apiOf(() => {});
    const at = await lab(api.url);
    const answer = ask(at);
    await expect.poll(() => api.requests.length).toBe(1);
    at.access.end();
    expect(await answer).toBeUndefined();
    expect(at.broker.isUsed).toBe(false);
  });
});

test("a client that sends its whole body before it reads gets the response", async () => {
  const early = await listening(
    createTcpServer((socket) => {
      socket
        .on("error", () => {})
        .once("data", () => {
          socket.end("HTTP/1.1 429 Slow\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}", () => socket.destroy());
        });
    }),
  );
  const at = await lab(early);
  const small = await lab(early, {}, { maxBodyBytes: 1000 });
  const down = await lab("http://127.0.0.1:1");
  const send = ({ socket, access }: Lab, path = "/v1/messages", token = access.token) =>
    sendThenRead(socket, `POST /model${path} HTTP/1.1\r\nX-Api-Key: ${token}`);
  expect(await send(at, "/v1/messages", "x")).toBe(401);
  expect(await send(at, "/v1/files")).toBe(404);
  expect(await send(at)).toBe(429);
  expect(await send(small)).toBe(413);
  expect(await send(down)).toBe(502);
});

describe("limits", () => {
  test("a body above the limit is refused, however it is sent", async () => {
    let received = 0;
    const api = await apiOf((incoming, outgoing) => {
      incoming.on("data", ({ length }) => {
        received += length;
      });
      incoming.on("end", () => outgoing.end("whole"));
    });
    const at = await lab(api.url, {}, { maxBodyBytes: 1000 });
    expect(await ask(at, { body: "x".repeat(1000) })).toMatchObject({ status: 200, text: "whole" });
    // Without the body, for which the connection would wait.
    const declared = { "content-length": "1001", connection: "close" };
    expect(await ask(at, { headers: declared })).toMatchObject({ status: 413 });
    expect(received).toBe(1000);
    const chunked = { "transfer-encoding": "chunked" };
    expect(await ask(at, { headers: chunked, body: "x".repeat(1001) })).toMatchObject({ status: 413 });
    expect(await ask(at, { body: "x" })).toMatchObject({ status: 200 });
  });

  test("too many requests at the same time are refused", async () => {
    const api = await apiOf(() => {});
    const at = await lab(api.url, {}, { maxRequests: 3 });
    for (let count = 0; count < 3; count += 1) start(at);
    await expect.poll(() => api.requests.length).toBe(3);
    expect(await ask(at)).toMatchObject({ status: 429 });
  });

  test("an API may take long to answer, but not to accept a connection", async () => {
    const api = await apiOf((_, outgoing) => void setTimeout(() => outgoing.end("late"), 800));
    expect(await ask(await lab(api.url, {}, { connectMs: 500 }))).toMatchObject({ status: 200, text: "late" });
    const silent = await listening(createTcpServer(), "https");
    const answer = await ask(await lab(silent, {}, { connectMs: 100 }));
    expect(answer).toMatchObject({ status: 502, text: expect.stringContaining("it does not answer") });
  });
});
test("a key or a URL that can't be used is an error without the key", () => {
  const broker = new Broker();
  const api = { kind: "anthropic", baseUrl: "http://127.0.0.1", credential: ["x-api-key", key] } as const;
  for (const wrong of [
    { ...api, credential: ["x-api-key", `${key}\nx`] as const },
    { ...api, headers: { "a b": "c" } },
    { ...api, headers: { a: `${key}\r\n` } },
    { ...api, baseUrl: `file:///${key}` },
    { ...api, baseUrl: key },
  ]) {
    expect(() => broker.access(wrong)).toThrow(/^api: /);
    expect(() => broker.access(wrong)).not.toThrow(key);
  }
  expect(broker.isUsed).toBe(false);
});
