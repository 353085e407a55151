import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { openSeedAgent } from "../../../components/seed-agent/client.ts";
import { seedServer } from "../../../components/seed-agent/program/server/server.ts";
import { freePort } from "../../support/free-port.ts";
import { controlToken, seedParts } from "../../support/seed-parts.ts";

async function client(options: Parameters<typeof seedParts>[0] = {}) {
  const app = seedServer(seedParts(options));
  onTestFinished(() => app.close());
  return openSeedAgent({ url: await app.listen({ port: 0, host: "127.0.0.1" }), token: controlToken });
}

/** A program that is no seed agent. */
async function other(listener: RequestListener, token = controlToken) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return openSeedAgent({ url: `http://127.0.0.1:${port}`, token, timeoutMilliseconds: 500 });
}

test("has a method for each control endpoint", async () => {
  const agent = await client();
  const files = { "handle.ts": "export default () => ({ status: 200 });\n" };
  expect(await agent.submit({ files, summary: "Be shorter" })).toMatchObject({ id: "c1", answers: "same" });
  expect(await agent.changes({ state: "queued", limit: 5 })).toMatchObject([{ id: "c1" }]);
  expect(await agent.change("c1")).toMatchObject({ files });
  expect(await agent.diff("c1")).toMatch(/^---/);
  expect(await agent.approve("c1", "It is good.")).toMatchObject({ state: "approved", reason: "It is good." });
  expect(await agent.reject("c1")).toMatchObject({ state: "rejected" });
  expect(await agent.versions()).toMatchObject([{ id: "v0" }]);
  expect(await agent.version("v0")).toMatchObject({ sources: expect.anything() });
  expect(await agent.activate("v0")).toMatchObject({ id: "c2" });
  expect(await agent.rollBack("It is slow.")).toMatchObject({ id: "c3" });
  expect(await agent.pause()).toMatchObject({ paused: true });
  expect(await agent.resume()).toMatchObject({ paused: false });
  expect(await agent.status()).toMatchObject({ active: "v0" });
  expect(await agent.audit({ limit: 1 })).toMatchObject([{ number: 3 }]);
  expect(await agent.health()).toMatchObject({ status: "ok" });
  expect(await agent.metrics()).toBe("seed_agent_up 1\n");
  await expect(agent.improve()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/no model/),
  });
});

test("reads the checks of an agent that is not healthy", async () => {
  const checks = [{ name: "disk", ok: false, detail: "full", milliseconds: 1 }];
  const deep = async () => ({ status: "degraded" as const, node: "n1", version: "v0", checks });
  const agent = await client({ health: { ...seedParts().health, deep } });
  expect(await agent.health()).toMatchObject({ status: "degraded", checks });
});

test("reports the agent's own error", async () => {
  const agent = await client();
  await expect(agent.change("c9")).rejects.toMatchObject({
    code: "not found",
    message: expect.stringMatching(/no change c9/),
  });
  await expect(agent.submit({ files: {}, summary: "" })).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringMatching(/summary/),
  });
  await expect(agent.submit({ files: {}, summary: "a", base: "v9" })).rejects.toMatchObject({ code: "conflict" });
  await expect(agent.change("../status")).rejects.toMatchObject({ code: "invalid" });
});

test("has a remedy for a wrong token, and does not show it", async () => {
  const app = seedServer(seedParts());
  onTestFinished(() => app.close());
  const agent = openSeedAgent({ url: await app.listen({ port: 0, host: "127.0.0.1" }), token: "another-token-here" });
  const error = await agent.status().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "unauthorized", message: expect.stringMatching(/pulumi up/) });
  expect(String(error)).not.toContain("another-token-here");
});

test("reports that nothing answers", async () => {
  const agent = openSeedAgent({ url: `http://127.0.0.1:${await freePort()}`, token: controlToken });
  await expect(agent.status()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringMatching(/ECONNREFUSED.*pulumi up/),
  });
});

test("stops waiting at its time limit", async () => {
  const agent = await other(() => {});
  await expect(agent.status()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringMatching(/too long/),
  });
});

test.each<[string, RequestListener]>([
  ["a page", (_request, response) => response.end("<html></html>")],
  ["no JSON in an error", (_request, response) => response.writeHead(404).end("Not found")],
  ["another form", (_request, response) => response.end('{"node":5}')],
  ["another code", (_request, response) => response.writeHead(400).end('{"code":"x","message":"y"}')],
  ["a redirect", (_request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end()],
])("does not understand %s", async (_name, listener) => {
  const agent = await other(listener);
  await expect(agent.status()).rejects.toMatchObject({
    code: "not understood",
    message: expect.stringMatching(/release/),
  });
});

test("reports a connection that ends in the middle of an answer", async () => {
  const agent = await other((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
    response.destroy();
  });
  await expect(agent.status()).rejects.toMatchObject({ code: "unreachable" });
});

test.each([
  ["http://seed.example.com", /unencrypted/],
  ["http://10.0.0.1:4000", /unencrypted/],
  ["http://me:secret@127.0.0.1", /not an origin/],
  ["http://127.0.0.1/path", /not an origin/],
  ["ftp://127.0.0.1", /not an origin/],
  ["", /not an origin/],
])("rejects the address %j", (url, message) => {
  expect(() => openSeedAgent({ url, token: controlToken })).toThrow(message);
});

test.each(["https://seed.fly.dev", "http://localhost:4000/", "http://[::1]:4000"])("accepts the address %s", (url) => {
  expect(() => openSeedAgent({ url, token: controlToken })).not.toThrow();
});
