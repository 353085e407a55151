import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { ServerLimits } from "../../../../components/seed-agent/program/server/parts.ts";
import { seedServer } from "../../../../components/seed-agent/program/server/server.ts";
import { controlToken, seedParts } from "../../../support/seed-parts.ts";

async function listening(options: Parameters<typeof seedParts>[0] = {}, limits: Partial<ServerLimits> = {}) {
  const parts = seedParts({ ...options, environment: { SEED_AGENT_PUBLIC: "true", ...options.environment } });
  const app = seedServer(parts, { slowCheckMilliseconds: 50, graceMilliseconds: 200, ...limits });
  onTestFinished(() => app.close());
  const origin = await app.listen({ port: 0, host: "127.0.0.1" });
  const port = Number(new URL(origin).port);
  const open = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  /** Sends bytes, and returns all that came back until the server ended the connection. */
  const raw = async (text: string | Buffer): Promise<string> => {
    const socket = await open();
    socket.write(text);
    return await allOf(socket);
  };
  /** The same for a request line and headers, on a connection that is closed after the answer. */
  const ask = (line: string, headers: readonly string[] = [], body = "") =>
    raw([line, "Host: localhost", "Connection: close", ...headers, "", body].join("\r\n"));
  return { app, parts, origin, open, raw, ask };
}

async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
const token = `Authorization: Bearer ${controlToken}`;

test.each([
  ["GET /agent/../control/status HTTP/1.1", 400],
  ["GET /agent/%2e%2e/control/status HTTP/1.1", 400],
  ["GET /agent/..%2fcontrol/status HTTP/1.1", 400],
  ["GET /agent/..%5ccontrol/status HTTP/1.1", 400],
  ["GET /agent/..\\control/status HTTP/1.1", 400],
  ["GET /agent/%252e%252e/control/status HTTP/1.1", 400],
  ["GET /agent/a%00b HTTP/1.1", 400],
  ["GET /agent/%c0%ae%c0%ae/control/status HTTP/1.1", 400],
  ["GET /agent/./x HTTP/1.1", 400],
  ["GET //control/status HTTP/1.1", 404],
  ["GET /control//status HTTP/1.1", 404],
  ["GET /./control/status HTTP/1.1", 404],
  ["GET /agent/x/../../control/status HTTP/1.1", 400],
  ["GET /CONTROL/status HTTP/1.1", 404],
  ["GET /control/status/ HTTP/1.1", 404],
  ["GET /control%2fstatus HTTP/1.1", 404],
  ["GET /agents HTTP/1.1", 404],
  ["GET /agent%2f.. HTTP/1.1", 404],
  // Decoded, these are the endpoints, so they need the token.
  ["GET /%63ontrol/status HTTP/1.1", 401],
  ["GET /control/status?token=x HTTP/1.1", 401],
  ["GET /control/status;x HTTP/1.1", 404],
  ["GET http://localhost/control/status HTTP/1.1", 401],
  ["GET http://evil.example/agent/x HTTP/1.1", 400],
  ["GET /%61gent/x HTTP/1.1", 400],
  ["GET /health/../control/status HTTP/1.1", 404],
  ["TRACE /control/status HTTP/1.1", 405],
  ["PROPFIND /agent/ HTTP/1.1", 405],
] as const)("%s is %i, and reaches nothing", async (line, status) => {
  const { ask, parts } = await listening();
  const answer = await ask(line);
  expect(statusOf(answer)).toBe(status);
  expect(answer).toMatch(/\r\n\r\n\{"code":"[a-z ]+","message":".+"\}$/);
  expect(parts.handled).toEqual([]);
});

test.each([
  ["a line that is none", "nonsense\r\n\r\n", 400],
  ["another protocol", "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 400],
  ["no host", "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
  ["a header without a name", "GET /health HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n", 400],
  ["a NUL in a header", "GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", 400],
  ["a TLS hello", Buffer.from("16030100a5010000a10303", "hex"), 400],
  [
    "both lengths",
    "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  [
    "two lengths",
    "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    400,
  ],
  ["a negative length", "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400],
  ["a chunk that is none", "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
  [
    "an unknown coding",
    "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\nConnection: close\r\n\r\n",
    400,
  ],
  ["huge headers", `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ["a huge path", `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
  ["many headers", `GET /health HTTP/1.1\r\nHost: localhost\r\n${"X: y\r\n".repeat(4000)}\r\n`, 431],
])("refuses %s, and goes on", async (_name, request, status) => {
  const { raw, ask, parts } = await listening();
  const answer = await raw(request);
  expect(statusOf(answer)).toBe(status);
  expect(answer.toLowerCase()).toContain("connection: close");
  expect(parts.handled).toEqual([]);
  expect(statusOf(await ask("GET /health HTTP/1.1"))).toBe(200);
});

test("rejects bodies that are too large, with and without a content length", async () => {
  const { ask, parts } = await listening();
  const large = "x".repeat(65 * 1024);
  const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
  const huge = `{"files":{},"summary":"${"x".repeat(2_100_000)}"}`;
  const json = "Content-Type: application/json";
  for (const answer of [
    await ask("POST /agent/ HTTP/1.1", [`Content-Length: ${large.length}`], large),
    await ask("POST /agent/ HTTP/1.1", ["Transfer-Encoding: chunked"], chunked),
    await ask("POST /control/changes HTTP/1.1", [token, json, `Content-Length: ${huge.length}`], huge),
    await ask("POST /agent/ HTTP/1.1", ["Content-Length: 99999999999"], ""),
  ]) {
    expect(statusOf(answer)).toBe(413);
    expect(answer).toContain('"code":"too large"');
  }
  expect(parts.handled).toEqual([]);
  const most = "x".repeat(64 * 1024);
  expect(statusOf(await ask("POST /agent/ HTTP/1.1", [`Content-Length: ${most.length}`], most))).toBe(200);
});

test("does not wait for a body without the token", async () => {
  const { ask } = await listening();
  const headers = ["Content-Type: application/json", "Content-Length: 2000000"];
  expect(statusOf(await ask("POST /control/changes HTTP/1.1", headers, "{"))).toBe(401);
});

test("passes any kind of body to the agent as text", async () => {
  const { ask, parts } = await listening();
  for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded", "a/b"]) {
    await ask("POST /agent/ HTTP/1.1", [`Content-Type: ${type}`, "Content-Length: 5"], "{bad}");
  }
  await ask("POST /agent/ HTTP/1.1", ["Content-Length: 5"], "{bad}");
  expect(parts.handled.map(({ body }) => body)).toEqual(Array(5).fill("{bad}"));
});

test("an answer of the agent can't add a header or another answer", async () => {
  const evil = "x\r\nSet-Cookie: stolen=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<script>";
  const headers = {
    "Content-Type": evil,
    etag: evil,
    [`x\r\nSet-Cookie: a`]: "b",
    "set-cookie": "c=d",
    location: evil,
  };
  for (const handle of [
    () => ({ status: 200, headers, body: "ok" }),
    () => ({ status: 302, headers: { location: `/x${evil}` }, body: "ok" }),
  ]) {
    const { ask } = await listening({ handle });
    const answer = await ask("GET /agent/ HTTP/1.1");
    expect(answer.toLowerCase()).not.toContain("set-cookie");
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(answer).not.toContain("<script>");
  }
});

test("a page of the agent is sandboxed", async () => {
  const { ask } = await listening({
    handle: () => ({ status: 200, headers: { "content-type": "text/html" }, body: "" }),
  });
  const answer = await ask("GET /agent/ HTTP/1.1");
  expect(answer).toMatch(/content-security-policy: sandbox; default-src 'none'/);
  expect(answer).toMatch(/x-content-type-options: nosniff/);
});

test("an answer that is not valid is 502, also when the agent's part of the service breaks", async () => {
  const { live } = seedParts();
  const answers = [{ status: 101 }, { status: 1e9 }, "text", undefined, { status: 200, body: 5 }];
  for (const answer of answers) {
    const handle = async () => answer as unknown as { status: number; headers: Record<string, string>; body: string };
    const { ask } = await listening({ live: { ...live, handle } });
    expect(statusOf(await ask("GET /agent/ HTTP/1.1"))).toBe(502);
  }
  const { ask } = await listening({ live: { ...live, handle: () => Promise.reject(new Error("hunter2")) } });
  const answer = await ask("GET /agent/ HTTP/1.1");
  expect(statusOf(answer)).toBe(500);
  expect(answer).not.toContain("hunter2");
});

test("an upgrade is an ordinary request, and CONNECT is rejected", async () => {
  const { ask, raw, parts } = await listening();
  const headers = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
  const upgraded = await raw(
    ["GET /agent/ HTTP/1.1", "Host: localhost", "Connection: Upgrade, close", ...headers, "", ""].join("\r\n"),
  );
  expect(statusOf(upgraded)).toBe(200);
  expect(parts.handled[0]?.headers).toEqual({ host: "localhost" });
  expect(await ask("CONNECT evil.example:443 HTTP/1.1")).toBe("");
});

test("answers as many requests as were sent at once", async () => {
  const { raw } = await listening();
  const one = "GET /health HTTP/1.1\r\nHost: localhost\r\n";
  const answer = await raw(`${`${one}\r\n`.repeat(99)}${one}Connection: close\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(100);
});

test("ends a client that is too slow with its headers or its body", async () => {
  const { open } = await listening({}, { headersMilliseconds: 200, requestMilliseconds: 400 });
  for (const start of [
    "GET /health HTTP/1.1\r\nHost: loc",
    "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow",
  ]) {
    const socket = await open();
    socket.write(start);
    expect(statusOf(await allOf(socket))).toBe(408);
  }
});

test("continues when clients disconnect before, during and after their request", async () => {
  let underWay = 0;
  const gate = Promise.withResolvers<void>();
  const handle = async () => {
    underWay++;
    await gate.promise;
    underWay--;
    return { status: 200, headers: {}, body: "x".repeat(1_000_000) };
  };
  const { open, ask } = await listening({ handle });
  for (const text of [
    "",
    "GET /agent/ HT",
    "POST /agent/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab",
  ]) {
    const socket = await open();
    if (text !== "") socket.write(text);
    socket.destroy();
  }
  const sockets = await Promise.all(Array.from({ length: 20 }, open));
  for (const socket of sockets) socket.write("GET /agent/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => underWay === 20);
  for (const socket of sockets) socket.resetAndDestroy();
  gate.resolve();
  await until(() => underWay === 0);
  expect(statusOf(await ask("GET /health HTTP/1.1"))).toBe(200);
  expect(statusOf(await ask("GET /agent/ HTTP/1.1"))).toBe(200);
});

test("limits concurrent requests to the agent", async () => {
  let gate = Promise.withResolvers<void>();
  const handle = async () => {
    await gate.promise;
    return { status: 200, headers: {}, body: "" };
  };
  const { ask, parts } = await listening({ handle }, { agentRequests: 2 });
  const first = [ask("GET /agent/ HTTP/1.1"), ask("GET /agent/ HTTP/1.1")];
  await until(() => parts.handled.length === 2);
  const third = await ask("GET /agent/ HTTP/1.1");
  expect(statusOf(third)).toBe(503);
  expect(third).toMatch(/\r\nretry-after: 1\r\n/);
  // The service itself goes on.
  expect(statusOf(await ask("GET /control/status HTTP/1.1", [token]))).toBe(200);
  gate.resolve();
  expect((await Promise.all(first)).map(statusOf)).toEqual([200, 200]);
  gate = Promise.withResolvers();
  gate.resolve();
  expect(statusOf(await ask("GET /agent/ HTTP/1.1"))).toBe(200);
});

test("serves a thousand connections that are kept alive, and ends them when it closes", async () => {
  const { open, app } = await listening();
  const sockets = await Promise.all(Array.from({ length: 1000 }, open));
  let answered = 0;
  let ended = 0;
  for (const socket of sockets) {
    socket.once("data", () => answered++);
    socket.once("close", () => ended++);
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  await until(() => answered === 1000);
  expect(ended).toBe(0);
  await app.close();
  await until(() => ended === 1000);
});

test("finishes current requests when it closes, accepts no new ones, and keeps no connection", async () => {
  const gate = Promise.withResolvers<void>();
  const handle = async () => {
    await gate.promise;
    return { status: 200, headers: {}, body: "finished" };
  };
  const { open, app, parts } = await listening({ handle });
  const [busy, idle] = [await open(), await open()];
  const busyAnswer = allOf(busy);
  const idleEnd = allOf(idle);
  idle.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  busy.write("GET /agent/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => parts.handled.length === 1 && idle.bytesRead > 0);
  const closed = app.close();
  expect(statusOf(await idleEnd)).toBe(200);
  await expect(open()).rejects.toThrow();
  gate.resolve();
  expect(await busyAnswer).toMatch(/finished$/);
  await closed;
});

test("ends requests that never finish when it closes", async () => {
  const handle = () => new Promise<never>(() => {});
  const { open, app, parts } = await listening({ handle, environment: { SEED_CALL_SECONDS: "1" } });
  const socket = await open();
  const end = allOf(socket);
  socket.write("GET /agent/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => parts.handled.length === 1);
  await app.close();
  expect(await end).toBe("");
});
