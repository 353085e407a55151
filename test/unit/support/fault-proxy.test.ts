import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FaultProxy, portOf, startFaultProxy } from "../../support/fault-proxy.ts";

/** Answers each line with the same line. */
let echo: Server;
let proxy: FaultProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await startFaultProxy(`http://127.0.0.1:${portOf(echo)}`);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.stop();
  echo.close();
});

/** "connected", or the code of the error. */
async function open(): Promise<{ socket: Socket; outcome: string }> {
  const socket = connect(Number(new URL(proxy.url).port), "127.0.0.1");
  clients.push(socket);
  const outcome = new Promise<string>((resolve) => {
    socket.once("connect", () => resolve("connected")).once("error", (error) => resolve(codeOf(error)));
  });
  return { socket, outcome: await outcome };
}

/** What comes back for a text: the same, the code of an error, "closed", or "silence" after 200 ms. */
async function say(socket: Socket, text: string): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.once("data", (data) => resolve(data.toString()));
    socket.once("error", (error) => resolve(codeOf(error)));
    socket.once("close", () => resolve("closed"));
  });
  socket.write(text);
  return Promise.race([answer, sleep(200, "silence")]);
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}

test("passes everything once, also when it is set to again", async () => {
  const { socket } = await open();
  await proxy.switchTo("pass");
  expect(await say(socket, "a")).toBe("a");
  expect(proxy.connections).toBe(1);
});

test("refuses new connections, resets open ones, and listens at the same place afterwards", async () => {
  const { socket } = await open();
  expect(await say(socket, "a")).toBe("a");
  const reset = once(socket, "error");
  await proxy.switchTo("refuse");
  expect(codeOf((await reset)[0])).toBe("ECONNRESET");
  expect((await open()).outcome).toBe("ECONNREFUSED");
  await proxy.switchTo("pass");
  expect(await say((await open()).socket, "b")).toBe("b");
});

test("hangs for new and open connections, and lets go of what was said meanwhile", async () => {
  const before = (await open()).socket;
  expect(await say(before, "a")).toBe("a");
  await proxy.switchTo("hang");
  const { socket, outcome } = await open();
  expect(outcome).toBe("connected");
  expect(await Promise.all([say(before, "b"), say(socket, "c")])).toEqual(["silence", "silence"]);
  const answer = once(socket, "data");
  await proxy.switchTo("pass");
  expect(String((await answer)[0])).toBe("c");
});

test("cuts after so many bytes", async () => {
  await proxy.switchTo({ cutAfterBytes: 4 });
  const { socket } = await open();
  expect(await say(socket, "abc")).toBe("abc");
  expect(["d", "ECONNRESET", "closed"]).toContain(await say(socket, "d"));
  expect(["ECONNRESET", "EPIPE", "closed"]).toContain(await say(socket, "e"));
});

test("cuts only so many of the connections that come", async () => {
  const before = (await open()).socket;
  expect(await say(before, "a")).toBe("a");
  await proxy.switchTo({ cutAfterBytes: 0, times: 1 });
  const cut = (await open()).socket;
  expect(["ECONNRESET", "EPIPE", "closed"]).toContain(await say(cut, "b"));
  expect(await say((await open()).socket, "c")).toBe("c");
  expect(await say(before, "d")).toBe("d");
});
