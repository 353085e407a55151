import { describe, expect, test } from "vitest";
import { versionHosts } from "../../../../components/seed-agent/program/hot-reload/host.ts";
import { fences } from "../../../support/seed-agent/fences.ts";
import { aRequest, given, limits } from "../../../support/seed-agent/versions.ts";

/** A program that runs behind the fence instead of ours, as if the code had taken over the process. */
const forged = (onLoad: string) => async () =>
  `
  const socket = new (require("node:net").Socket)({ fd: 3, readable: true, writable: true });
  const send = (value) => socket.write((typeof value === "string" ? value : JSON.stringify(value)) + "\\n");
  let id = 0;
  socket.setEncoding("utf8").on("data", (text) => {
    for (const line of text.split("\\n").filter(Boolean)) {
      const message = JSON.parse(line);
      if (message.type === "load") send({ type: "loaded", tests: 0 });
      if (message.type === "call") { ${onLoad} }
    }
  });
  send({ type: "ready" });`;

describe.for(await fences())("a hostile process behind $name", (fence) => {
  test.for([
    ["garbage", "send('not JSON')", "it violated the protocol"],
    ["another type", "send({ type: 'activate', id: message.id })", "it violated the protocol"],
    ["a second start", "send({ type: 'loaded', tests: 0 })", "it violated the protocol"],
    ["deep JSON", "send('['.repeat(500000) + ']'.repeat(500000))", "it violated the protocol"],
    ["a line without an end", "socket.write('x'.repeat(3 * 1024 * 1024))", "it sent a line of more than 2 MiB"],
    [
      "answers of calls that were never made",
      "for (let n = 0; n < 2000; n++) send({ type: 'threw', id: 1000 + n, message: '' })",
      "it answers calls that were never made",
    ],
    [
      "large answers of calls that were never made",
      "for (let n = 0; n < 20; n++) send({ type: 'answer', id: 1000 + n, value: 'x'.repeat(1024 * 1024), writes: [] })",
      "it answers calls that were never made",
    ],
    [
      "a large key",
      "send({ type: 'read', id: message.id, read: 0, key: 'x'.repeat(1000) })",
      "it violated the protocol",
    ],
    [
      "endless reads",
      "for (let n = 0; n < 2000; n++) send({ type: 'read', id: message.id, read: n, key: 'k' + n })",
      "it read the state more than 100 times in one call",
    ],
    [
      "endless logs",
      "for (let n = 0; n < 2000; n++) send({ type: 'log', id: message.id, message: 'x' })",
      "it logs more than is kept",
    ],
    [
      "errors of 1 GB",
      "for (let n = 0; n < 1e6; n++) try { require('node:fs').writeSync(2, 'x'.repeat(1000)) } catch {}",
      "it printed more than 1 MiB of errors",
    ],
    ["an end", "process.exit(7)", "it ended with code 7"],
  ] as const)("is ended when it sends %s", async ([, code, reason]) => {
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    await expect(host.handle(aRequest(), given())).rejects.toMatchObject({ code: "ended", message: reason });
    expect((await host.ended).reason).toBe(reason);
  });

  test("can print 1 GB, which is discarded", async () => {
    const code = `const text = "x".repeat(1e6); for (let n = 0; n < 1000; n++) require("node:fs").writeSync(1, text);
      send({ type: "answer", id: message.id, value: { status: 200, headers: [], body: "" }, writes: [] });`;
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    expect((await host.handle(aRequest(), given())).response.status).toBe(200);
    await host.end();
  });

  test("can't change prototypes of the service by its keys", async () => {
    const code = `send('{"type":"answer","id":' + message.id + ',"__proto__":{"polluted":1},"value":{"status":200,"headers":[["__proto__","x"]],"body":"","__proto__":{"polluted":1}},"writes":[["__proto__","x"]]}')`;
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    const { response, writes } = await host.handle(aRequest(), given());
    expect(Object.getPrototypeOf(response.headers)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(writes)).toBe(Object.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    await host.end();
  });
});
