import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import {
  creditWindow,
  maxPart,
  partsOf,
  replacedCode,
  violationCode,
} from "../../components/sandbox/sessions/link-protocol.ts";
import type { SessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import { CloudLab } from "../support/cloud-lab.ts";

let lab: CloudLab;
beforeAll(async () => {
  lab = await CloudLab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const isFinished = (message: number) => (event: SessionEvent) => event.type === "finished" && event.message === message;

describe("a runner that is linked", () => {
  beforeAll(async () => {
    await lab.connected();
  });

  it("executes the messages of a worker that can't reach it by address", async () => {
    const client = lab.runner.client();
    const session = await lab.runner.session();
    await client.send(session, "tool");
    await client.send(session, "stream 200");
    const events = await lab.runner.until(session, isFinished(2));
    expect(events.filter(({ type }) => type === "finished")).toMatchObject([{ state: "done" }, { state: "done" }]);
    expect(lab.runner.executed).toEqual(["begin tool", "end tool", "begin stream 200", "end stream 200"]);
    expect(await client.diff(session)).toBe("diff --git a/file b/file\n");
    expect(await client.snapshot(session)).toContain(`snapshot-of-${session}`);
    expect((await client.pause(session)).status).toBe("paused");
    expect((await client.resume(session)).status).toBe("running");
    await client.send(session, "hang");
    await lab.runner.until(session, (event) => event.type === "started" && event.message === 3);
    expect(await client.cancel(session)).toBe(true);
    expect((await lab.runner.until(session, isFinished(3))).at(-1)).toMatchObject({ state: "cancelled" });
    expect((await client.stop(session)).status).toBe("terminated");
  });

  it("passes on a bundle that is larger than what may be under way, and a message of the greatest length", async () => {
    const client = lab.runner.client();
    const session = await lab.runner.session();
    const bundle = "a bundle ".repeat(500_000);
    expect(bundle.length).toBeGreaterThan(10 * creditWindow);
    writeFileSync(join(lab.runner.folder, "sandboxes", session, "bundle"), bundle);
    expect((await client.bundle(session)) === bundle).toBe(true);
    const text = `wait 0 ${"\u{1F600}".repeat(90_000)}`;
    await client.send(session, text);
    const [last] = (await lab.runner.until(session, isFinished(1))).slice(-1);
    expect(last).toMatchObject({ state: "done" });
    expect(lab.runner.executed.includes(`begin ${text}`)).toBe(true);
  });
});

describe("who may dial in", () => {
  it.each([
    ["nobody without a token", () => ({})],
    ["nobody with another token", () => ({ authorization: `Bearer ${"x".repeat(43)}` })],
    ["not the installation's owner", () => ({ authorization: `Bearer ${lab.tokens.ownerToken}` })],
  ])("%s", async (_, headers) => {
    await lab.connected();
    const socket = new WebSocket(lab.address, { headers: headers() });
    const status = await new Promise((resolve) => {
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.on("error", () => {});
      socket.on("open", () => resolve("open"));
    });
    socket.terminate();
    expect(status).toBe(401);
    expect(await lab.isConnected()).toBe(true);
  });

  it("reports only to the owner whether a runner is linked", async () => {
    expect((await lab.runner.request("/runner", { token: lab.tokens.runnerToken })).status).toBe(401);
  });

  it("lets a newer runner replace the older one, whose messages are asked for again", async () => {
    await lab.connected();
    const [first, second] = [await lab.dialIn(), await lab.dialIn()];
    expect(await first.closed).toBe(replacedCode);
    expect(second.socket.readyState).toBe(WebSocket.OPEN);
    second.socket.close();
    await second.closed;
    // The real one was replaced first, and would come back in minutes.
    await lab.runner.killRunner();
    await lab.runner.start();
    await lab.connected();
  });
});

it("keeps messages while no runner is linked, and executes them once when one dials in", {
  timeout: 60_000,
}, async () => {
  await lab.connected();
  const client = lab.runner.client();
  const session = await lab.runner.session();
  await lab.runner.killRunner();
  await vi.waitFor(async () => expect(await lab.isConnected()).toBe(false), 10_000);
  await client.send(session, "wait 0 offline.1");
  await client.send(session, "wait 0 offline.2");
  await expect(client.diff(session)).rejects.toMatchObject({
    code: "unavailable",
    message: "the machine that runs the sandboxes is not connected to the session service",
  });
  // The session may still be reporting its last use to the directory.
  await expect
    .poll(() => client.show(session))
    .toMatchObject({ queue: [{ state: "processing" }, { state: "queued" }] });
  await lab.runner.start();
  await lab.runner.until(session, isFinished(2));
  const executed = lab.runner.executed.filter((line) => line.includes("offline"));
  expect(executed).toEqual(["1", "2"].flatMap((at) => [`begin wait 0 offline.${at}`, `end wait 0 offline.${at}`]));
});

describe("what a hostile runner sends", () => {
  const part = (id: number, length: number) => [...partsOf(id, new Uint8Array(length))];
  it.each<[string, (id: number) => readonly (string | Uint8Array)[]]>([
    ["no JSON", () => ["{"]],
    ["another frame", (id) => [JSON.stringify({ frame: "request", id, method: "GET", path: "/runs/x" })]],
    ["a status of no response", (id) => [JSON.stringify({ frame: "response", id, status: 101, type: "text/plain" })]],
    [
      "a header in the type",
      (id) => [JSON.stringify({ frame: "response", id, status: 200, type: "text/html\r\nx: y" })],
    ],
    ["a long frame", (id) => [JSON.stringify({ frame: "end", id, more: "x".repeat(10_000) })]],
    ["a part that is too long", () => [new Uint8Array(5 + maxPart)]],
    ["a part without bytes", () => [new Uint8Array(4)]],
    ["a part before the response", (id) => part(id, 10)],
    ["an end before the response", (id) => [JSON.stringify({ frame: "end", id })]],
  ])("%s ends the link", async (_, messages) => {
    const session = await anySession();
    const hostile = await lab.dialIn();
    // The worker asks for something, so that there is a request to answer.
    const asked = lab.runner.request(`/sessions/${session}/bundle`);
    const { id } = await hostile.request((path) => path.endsWith("/bundle"));
    for (const message of messages(id)) hostile.socket.send(message);
    expect(await hostile.closed).toBe(violationCode);
    const answer = await asked;
    await answer.text().catch(() => {});
    expect([200, 503]).toContain(answer.status);
  });

  it("is ignored if it is about a request that nobody made", async () => {
    const hostile = await lab.dialIn();
    hostile.socket.send(JSON.stringify({ frame: "end", id: 1 }));
    for (const message of part(1, 100)) hostile.socket.send(message);
    expect(await lab.isConnected()).toBe(true);
    hostile.socket.close();
    await hostile.closed;
  });

  let known: string | undefined;
  async function anySession(): Promise<string> {
    if (known !== undefined) return known;
    await lab.runner.killRunner();
    await lab.runner.start();
    await lab.connected();
    known = await lab.runner.session();
    await lab.runner.killRunner();
    return known;
  }
});
