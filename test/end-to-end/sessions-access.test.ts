import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import { SessionLab } from "../support/session-lab.ts";

let lab: SessionLab;
beforeAll(async () => {
  lab = await SessionLab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const isFinished = (message: number) => (event: SessionEvent) => event.type === "finished" && event.message === message;

describe("tokens", () => {
  it("are valid for one session, and allow a guest no more than is meant", async () => {
    const [session, other] = [await lab.session(), await lab.session()];
    const client = lab.client();
    const guest = await client.invite(session, { name: "Eve", role: "guest" });
    const ask = async (path: string, init: RequestInit & { token?: string } = {}) => {
      const response = await lab.request(path, { token: guest, ...init });
      await response.arrayBuffer();
      return response.status;
    };
    const post = (path: string, body: object, token = guest) =>
      ask(path, { method: "POST", body: JSON.stringify(body), token });
    expect(await ask(`/sessions/${session}`)).toBe(200);
    expect(await post(`/sessions/${session}/messages`, { key: "12345678", text: "hi" })).toBe(200);
    for (const what of ["pause", "resume", "stop", "snapshot", "invite", "revoke", "wake"]) {
      expect([what, await post(`/sessions/${session}/${what}`, { name: "Me", role: "owner" })]).toEqual([what, 403]);
    }
    expect(await ask(`/sessions/${other}`)).toBe(401);
    expect(await ask("/sessions")).toBe(401);
    expect(await post("/sessions", { key: "12345678", changeling: "example" })).toBe(401);
    for (const token of ["", "wrong", guest.slice(1), `${guest}a`, "x".repeat(43), "😀"]) {
      const headers = { authorization: `Bearer ${encodeURIComponent(token)}` };
      expect(await ask(`/sessions/${session}`, { headers })).toBe(401);
    }
    await lab.idle(session);
    // The author is the token's person, whatever the request says.
    const headers = { "x-changelings-person": "ada" };
    const body = JSON.stringify({ key: "abcdefgh", text: "as ada", author: "ada" });
    expect(await ask(`/sessions/${session}/messages`, { method: "POST", headers, body })).toBe(200);
    expect((await client.messages(session)).map(({ author }) => author)).toEqual(["Eve", "Eve"]);
    // Another person's message is not a guest's to cancel.
    const hanging = await client.send(session, "hang");
    expect(await post(`/sessions/${session}/cancel`, { message: hanging })).toBe(403);
    expect(await client.cancel(session, hanging)).toBe(true);
  });

  it("are replaced by a new invitation and ended by a revocation, with all connections that use them", async () => {
    const session = await lab.session();
    const client = lab.client();
    const present: string[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const event of client.events(session, { signal: controller.signal })) {
        if (event.type === "presence") present.push(event.present.filter((name) => name !== "watcher").join());
      }
    })();
    const isPresent = (names: string) => vi.waitFor(() => expect(present.at(-1)).toBe(names), 15_000);
    const invite = () => client.invite(session, { name: "Bob", role: "guest" });
    /** Resolves when the connection has ended. */
    const follow = async (token: string) =>
      (await lab.request(`/sessions/${session}/events`, { token, headers: { accept: "text/event-stream" } })).text();
    const former = await invite();
    const first = follow(former);
    await isPresent("Bob,ada");
    const token = await invite();
    await first;
    await isPresent("ada");
    expect((await lab.request(`/sessions/${session}`, { token: former })).status).toBe(401);
    const second = follow(token);
    await isPresent("Bob,ada");
    await client.revoke(session, "Bob");
    await second;
    await isPresent("ada");
    controller.abort();
    await following;
  });

  it("allow nothing any more once they are revoked, also not by a request whose body arrives only then", async () => {
    const session = await lab.session();
    const client = lab.client();
    const token = await client.invite(session, { name: "Mallory", role: "owner" });
    const late = (what: string, body: object) => {
      const { promise: revoked, resolve: send } = Promise.withResolvers<void>();
      const [first = "", rest = ""] = [JSON.stringify(body).slice(0, 5), JSON.stringify(body).slice(5)];
      const parts = (async function* () {
        yield Buffer.from(first);
        await revoked;
        yield Buffer.from(rest);
      })();
      const init = { method: "POST", body: ReadableStream.from(parts), duplex: "half" } as const;
      return { answer: lab.request(`/sessions/${session}/${what}`, { token, ...init }), send };
    };
    const requests = [
      late("invite", { name: "Mallory", role: "owner" }),
      late("messages", { key: "12345678", text: "hi" }),
      late("stop", {}),
    ];
    // The service has their headers by then; if it does not, the test is only weaker.
    await sleep(300);
    await client.revoke(session, "Mallory");
    for (const { send } of requests) send();
    const statuses = requests.map(async ({ answer }) => (await answer).status);
    expect(await Promise.all(statuses)).toEqual([401, 401, 401]);
    expect(await client.show(session)).toMatchObject({ status: "running", messages: 0, people: [] });
  });

  it("are in no file as they are, but the owner's in one that only its owner can read", async () => {
    const session = await lab.session();
    const client = lab.client();
    const guest = await client.invite(session, { name: "Bob", role: "guest" });
    await client.send(session, "leak");
    await lab.idle(session);
    const events = JSON.stringify(await lab.until(session, isFinished(1)));
    expect(events).toContain("***");
    const files = readdirSync(lab.folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    expect(files.length).toBeGreaterThan(8);
    for (const file of files) {
      const path = join(file.parentPath, file.name);
      const content = readFileSync(path, "latin1");
      expect([file.name, content.includes(guest)]).toEqual([file.name, false]);
      if (file.name !== "executed") expect([file.name, content.includes("s3cret-value")]).toEqual([file.name, false]);
      if (content.includes(lab.service.token) || file.name === "workerd.capnp") {
        expect(["service.json", "workerd.capnp"]).toContain(file.name);
      }
      expect([file.name, statSync(path).mode & 0o077]).toEqual([file.name, 0]);
    }
    const commandLine = readFileSync(`/proc/${lab.service.workerd?.pid}/cmdline`, "latin1");
    expect(commandLine).not.toContain(lab.service.token);
  });
});

describe("hostile requests", () => {
  const hostile: readonly [what: string, path: string, init: RequestInit, status: number][] = [
    ["a body that is no JSON", "messages", { method: "POST", body: "{" }, 400],
    ["a body of another form", "messages", { method: "POST", body: "[]" }, 400],
    ["a message without text", "messages", { method: "POST", body: '{"key":"12345678","text":""}' }, 400],
    ["a key of another form", "messages", { method: "POST", body: '{"key":"a b","text":"x"}' }, 400],
    ["a message that is too long", "messages", { method: "POST", body: long(300_000) }, 413],
    ["a body that is too long", "messages", { method: "POST", body: long(3_000_000) }, 413],
    ["a cursor that is no number", "events?from=-1", {}, 400],
    ["a message that does not exist", "retry", { method: "POST", body: '{"message":99}' }, 404],
    ["a number that is none", "retry", { method: "POST", body: '{"message":"1; DROP TABLE"}' }, 400],
    ["a name with control characters", "invite", { method: "POST", body: '{"name":"a\\u0007","role":"guest"}' }, 400],
    ["a role that does not exist", "invite", { method: "POST", body: '{"name":"a","role":"root"}' }, 400],
    ["an action that does not exist", "toString", { method: "POST", body: "{}" }, 404],
    ["the service's own action", "create", { method: "POST", body: "{}" }, 404],
    ["another method", "", { method: "PUT", body: "{}" }, 404],
  ];
  it.each(hostile)("%s is refused", async (_, path, init, status) => {
    const session = await lab.session();
    const response = await lab.request(`/sessions/${session}/${path}`, init);
    expect([response.status, Object.keys(objectOf(await response.json()))]).toEqual([status, ["error"]]);
    expect((await lab.client().show(session)).messages).toBe(0);
  });

  it("leave no file of a session that does not exist", async () => {
    const folder = join(lab.folder, "objects", "session-v1");
    const before = readdirSync(folder).length;
    for (const id of ["00000000000000000000", "x".repeat(20), "..%2f..%2fetc", "a".repeat(5000)]) {
      expect((await lab.request(`/sessions/${id}`)).status).toBe(404);
    }
    expect(readdirSync(folder)).toHaveLength(before);
  });

  it("reach the runner only with its secret", async () => {
    const config = readFileSync(join(lab.folder, "workerd.capnp"), "utf8");
    const [, address] = /address = "([\d.:]+)", http = \(\n/.exec(config) ?? [];
    const response = await fetch(`http://${address}/runs/${"0".repeat(20)}-start`, { method: "PUT", body: "{}" });
    expect(response.status).toBe(401);
  });

  it("are the same request again if their key is", async () => {
    const session = await lab.session();
    const post = async (text: string) => {
      const body = JSON.stringify({ key: "the-same-key", text });
      return await (await lab.request(`/sessions/${session}/messages`, { method: "POST", body })).json();
    };
    expect([await post("once"), await post("once")]).toEqual([{ message: 1 }, { message: 1 }]);
    expect(await post("other")).toMatchObject({ error: { code: "conflict" } });
    await lab.idle(session);
    await sleep(50);
    expect(lab.executed.filter((line) => line === "begin once")).toHaveLength(1);
  });
});

function long(length: number): string {
  return JSON.stringify({ key: "12345678", text: "x".repeat(length) });
}

function objectOf(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
