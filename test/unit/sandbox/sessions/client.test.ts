import { mkdtempSync, rmSync } from "node:fs";
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
