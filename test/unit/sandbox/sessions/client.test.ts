import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { openSessions } from "../../../../components/sandbox/sessions/client.ts";
import { serviceFilePath } from "../../../../components/sandbox/sessions/folder.ts";
import type { EventBody } from "../../../../components/sandbox/sessions/protocol.ts";
import { type FakeSessions, startFakeSessions } from "../../../support/fake-sessions.ts";

let folder: string;
let service: FakeSessions;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "client-"));
  service = await startFakeSessions();
  writePrivateFile(serviceFilePath(folder), JSON.stringify(service.file));
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

it("fails at an event that it can't read, and does not ask for it for ever", async () => {
  const session = service.session();
  session.publish({ type: "progress", text: "cloning" });
  session.publish({ type: "of a later release" } as unknown as EventBody);
  const types: string[] = [];
  const follow = async () => {
    for await (const { type } of openSessions({ folder, person: "Ada" }).events(session.id)) types.push(type);
  };
  await expect(follow()).rejects.toMatchObject({
    code: "failed",
    message: expect.stringContaining("an event of the session service can't be read"),
  });
  expect(types).toEqual(["progress"]);
});

it("says that no service runs", async () => {
  rmSync(serviceFilePath(folder));
  await expect(openSessions({ folder, person: "Ada" }).list()).rejects.toThrow(
    "the session service is not running; start it with: pulumi up",
  );
});

it("does not send the owner's token to what listens on the service's port while the service does not run", async () => {
  const ended = { pid: process.pid, startedAt: "before this process" };
  writePrivateFile(serviceFilePath(folder), JSON.stringify({ ...service.file, workerd: ended }));
  const listed = openSessions({ folder, person: "Ada" }).list();
  await sleep(300);
  expect(service.asked).toEqual([]);
  writePrivateFile(serviceFilePath(folder), JSON.stringify(service.file));
  expect(await listed).toEqual([]);
});

it("gives up on a service that does not answer within the limit of a check", async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${portOf(silent)}`;
  writePrivateFile(serviceFilePath(folder), JSON.stringify({ version: 1, url, token: "t" }));
  const error = await failureOf(openSessions({ folder, person: "Ada", timeoutMs: 1_000 }).list());
  expect(error).toMatchObject({
    code: "unavailable",
    message: `the session service at ${url} did not answer within 1 s; check this machine's internet connection`,
  });
  silent.close();
});

it("repeats a refused connection no longer than the limit of a check", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${portOf(server)}`;
  await new Promise((resolve) => server.close(resolve));
  writePrivateFile(serviceFilePath(folder), JSON.stringify({ version: 1, url, token: "t" }));
  const began = Date.now();
  const error = await failureOf(openSessions({ folder, person: "Ada", timeoutMs: 300 }).list());
  expect(error).toMatchObject({ code: "unavailable" });
  // Without a limit, it is repeated for 20 s.
  expect(Date.now() - began).toBeLessThan(15_000);
});

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
