import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import * as z from "zod/mini";
import { pageUrl } from "../../components/sandbox/page/url.ts";
import { maxConnections, type SessionEvent, sessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import { SessionLab } from "../support/session-lab.ts";

let lab: SessionLab;
beforeAll(async () => {
  lab = await SessionLab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const isFinished = (message: number) => (event: SessionEvent) => event.type === "finished" && event.message === message;

it("starts a sandbox, executes a message and reports it as it happens", async () => {
  const client = lab.client();
  const { id, status, isReady } = await client.create({ changeling: "example", title: "Try", branch: "work" });
  expect({ status, isReady }).toEqual({ status: "running", isReady: false });
  // Sent before the sandbox has started.
  expect(await client.send(id, "tool")).toBe(1);
  const events = await lab.until(id, isFinished(1));
  const of = { message: 1, attempt: 1 };
  const bodies = events.map(({ at: _, cursor: __, ...body }) => body);
  expect(bodies.filter(({ type }) => type !== "progress" && type !== "ready")).toEqual([
    { type: "created", by: "ada", changeling: "example", title: "Try" },
    { type: "message", message: 1, author: "ada", text: "tool" },
    { type: "started", ...of },
    { type: "text", ...of, offset: 0, text: "first" },
    { type: "tool_call", ...of, id: "1", name: "Bash", input: { command: "ls" } },
    { type: "tool_result", ...of, id: "1", output: "file", isError: false },
    { type: "usage", ...of, inputTokens: 1, outputTokens: 2 },
    { type: "finished", ...of, state: "done", answer: "answer to tool" },
  ]);
  expect(bodies).toContainEqual({ type: "ready", branch: "work" });
  await vi.waitFor(async () =>
    expect(await client.list({ changeling: "example" })).toMatchObject([{ id, title: "Try" }]),
  );
  expect(await client.list({ changeling: "other" })).toEqual([]);
  expect(await client.diff(id)).toBe("diff --git a/file b/file\n");
  expect(await client.bundle(id)).toBe("YnVuZGxl");
  const snapshot = await client.snapshot(id);
  expect(await client.show(id)).toMatchObject({
    snapshot,
    branch: "work",
    messages: 1,
    queue: [],
  });
});

it("terminates a session whose sandbox does not start, and says why", async () => {
  const client = lab.client();
  for (const [changeling, reason] of [
    ["broken", "clone: the repository does not exist"],
    ["unknown", "there is no sandbox changeling unknown"],
  ] as const) {
    const { id } = await client.create({ changeling });
    await lab.until(id, ({ type }) => type === "status");
    expect(await client.show(id)).toMatchObject({ status: "terminated", reason });
    await expect(client.send(id, "hi")).rejects.toMatchObject({ code: "terminated" });
  }
});

it("cancels the start of a sandbox", async () => {
  const client = lab.client();
  const { id } = await client.create({ changeling: "slow" });
  await lab.until(id, ({ type }) => type === "progress");
  expect(await client.cancel(id)).toBe(true);
  await lab.until(id, ({ type }) => type === "status");
  expect(await client.show(id)).toMatchObject({ status: "terminated", reason: "its start was cancelled" });
});

it("keeps the order of two authors who send at once", async () => {
  const session = await lab.session();
  const send = async (person: string) => {
    for (let at = 0; at < 20; at++) await lab.client(person).send(session, `${person} ${at}`);
  };
  await Promise.all([send("ada"), send("bob")]);
  await lab.idle(session);
  const messages = await lab.client().messages(session);
  for (const person of ["ada", "bob"]) {
    const own = messages.filter(({ author }) => author === person).map(({ text }) => text);
    expect(own).toEqual(Array.from({ length: 20 }, (_, at) => `${person} ${at}`));
  }
  const executed = lab.executed.filter((line) => /^begin (ada|bob) /.test(line));
  expect(executed).toEqual(messages.map(({ text }) => `begin ${text}`));
});

it("executes 1,000 queued messages in order, each once", { timeout: 180_000 }, async () => {
  const session = await lab.session();
  const client = lab.client();
  await client.pause(session);
  const numbers = Array.from({ length: 1000 }, (_, at) => at);
  let next = 0;
  const sender = async () => {
    while (next < numbers.length) await client.send(session, `number ${next++}`);
  };
  await Promise.all(Array.from({ length: 10 }, sender));
  expect((await client.show(session)).queue).toHaveLength(1000);
  expect(lab.executed.filter((line) => line.includes("number "))).toEqual([]);
  await client.resume(session);
  await lab.idle(session);
  const messages = await client.messages(session);
  expect(new Set(messages.map(({ text }) => text)).size).toBe(1000);
  expect(messages.every(({ state }) => state === "done")).toBe(true);
  const executed = lab.executed.filter((line) => line.startsWith("begin number "));
  expect(executed).toEqual(messages.map(({ text }) => `begin ${text}`));
});

it("cancels what is processed and what waits, and retries it as another attempt", async () => {
  const session = await lab.session();
  const client = lab.client();
  await client.send(session, "hang");
  await client.send(session, "never");
  await lab.until(session, ({ type }) => type === "started");
  expect(await client.cancel(session, 2)).toBe(true);
  expect(await client.cancel(session)).toBe(true);
  expect(await client.cancel(session, 2)).toBe(false);
  await lab.idle(session);
  expect((await client.messages(session)).map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
  expect(lab.executed).not.toContain("begin never");
  await lab.client("bob").retry(session, 2);
  await lab.idle(session);
  const events = await lab.until(session, (event) => event.type === "finished" && event.attempt === 2);
  expect(events).toContainEqual(expect.objectContaining({ type: "retried", message: 2, attempt: 2, by: "bob" }));
  expect(await client.messages(session, { after: 1 })).toMatchObject([{ id: 2, attempt: 2, state: "done" }]);
  await expect(client.retry(session, 2)).rejects.toMatchObject({ code: "conflict" });
});

it("goes on after a failure, and makes a sandbox that is gone again from its snapshot", async () => {
  const session = await lab.session();
  const client = lab.client();
  await client.send(session, "fail");
  const [failed] = (await lab.until(session, isFinished(1))).slice(-1);
  expect(failed).toMatchObject({ state: "failed", failure: { code: "runtime_failed", message: "it failed" } });
  const snapshot = await client.snapshot(session);
  rmSync(join(lab.folder, "sandboxes", session), { recursive: true });
  await client.send(session, "one");
  expect((await lab.until(session, isFinished(2))).at(-1)).toMatchObject({ failure: { code: "sandbox_gone" } });
  await client.send(session, "two");
  expect((await lab.until(session, isFinished(3))).at(-1)).toMatchObject({ state: "done" });
  await client.stop(session);
  await vi.waitFor(() => expect(lab.executed).toContain(`removed ${snapshot}`));
  expect(readdirSync(join(lab.folder, "sandboxes"))).not.toContain(session);
});

it("refuses what is over a session's limits", async () => {
  const session = await lab.session("example", { limits: { costUsd: 2, messages: 3 } });
  const client = lab.client();
  await client.send(session, "cost 1");
  await client.send(session, "cost 1");
  await lab.idle(session);
  await expect(client.send(session, "more")).rejects.toMatchObject({ code: "over_limit" });
  expect(await client.show(session)).toMatchObject({ used: { messages: 2, costUsd: 2 } });
});

/** The sandboxes or snapshots of a session that are there. */
function kept(what: "sandboxes" | "snapshots", session: string): string[] {
  return readdirSync(join(lab.folder, what)).filter((name) => name.includes(session));
}

const isAsleep = (event: SessionEvent) => event.type === "sandbox" && event.isAsleep;

it("saves an idle sandbox and ends it, and wakes it up for the next message", { timeout: 60_000 }, async () => {
  const client = lab.client();
  const { id } = await client.create({ changeling: "example-idle" });
  await client.send(id, "tool before");
  const { cursor } = (await lab.until(id, isAsleep)).at(-1) ?? { cursor: 0 };
  expect(await client.show(id)).toMatchObject({ status: "running", isAsleep: true, isReady: true });
  await vi.waitFor(() => expect(kept("sandboxes", id)).toEqual([]));
  expect(kept("snapshots", id)).toHaveLength(1);
  const listed = async () => (await client.list({ changeling: "example-idle" })).map((each) => each.isAsleep);
  await vi.waitFor(async () => expect(await listed()).toEqual([true]));
  await client.send(id, "after");
  expect((await lab.until(id, isFinished(2), cursor)).at(-1)).toMatchObject({
    state: "done",
    answer: "answer to after",
  });
  expect(lab.executed).toContain('state {"conversation":"c1"}');
  const [sandbox = "", ...more] = kept("sandboxes", id);
  expect([more, readFileSync(join(lab.folder, "sandboxes", sandbox, "work"), "utf8")]).toEqual([
    [],
    "tool before\nafter\n",
  ]);
  // It sleeps again, and its former snapshot is removed.
  await lab.until(id, isAsleep, (await client.show(id)).cursor);
  await vi.waitFor(() => expect([kept("sandboxes", id), kept("snapshots", id).length]).toEqual([[], 1]));
  expect(await client.diff(id)).toBe("diff --git a/file b/file\n");
  await vi.waitFor(async () => expect((await client.show(id)).isAsleep).toBe(false));
  await client.stop(id);
  await vi.waitFor(() => expect([kept("sandboxes", id), kept("snapshots", id)]).toEqual([[], []]));
});

it("saves a sandbox whose time is over, and fails what it executes", { timeout: 60_000 }, async () => {
  const client = lab.client();
  const { id } = await client.create({ changeling: "example-1s" });
  await client.send(id, "hang");
  await client.send(id, "next");
  await lab.until(id, isFinished(2));
  expect(await client.messages(id)).toMatchObject([
    { state: "failed", failure: { code: "timeout" } },
    { state: "done" },
  ]);
  await client.stop(id);
});

it("terminates a session whose sandbox's time is over and can't be saved", { timeout: 60_000 }, async () => {
  const client = lab.client();
  const { id } = await client.create({ changeling: "unsaved-1s" });
  await client.send(id, "hang");
  await lab.until(id, ({ type }) => type === "status");
  expect(await client.show(id)).toMatchObject({
    status: "terminated",
    reason: "the time of its sandbox is over, and local has no snapshots",
  });
  expect(await client.messages(id)).toMatchObject([{ state: "cancelled" }]);
  await vi.waitFor(() => expect(readdirSync(join(lab.folder, "sandboxes"))).not.toContain(id));
  expect((await client.stop(id)).status).toBe("terminated");
});

describe("those who follow", () => {
  it("get each event once over a broken connection, from their cursor", async () => {
    const session = await lab.session();
    const client = lab.client();
    await client.send(session, "stream 300");
    const received: SessionEvent[] = [];
    const following = (async () => {
      for await (const event of client.events(session)) {
        if (event.type === "presence") continue;
        received.push(event);
        if (event.type === "finished") return;
      }
    })();
    await vi.waitFor(() => expect(received.some(({ type }) => type === "text")).toBe(true));
    lab.killWorkerd();
    await following;
    const text = received.map((event) => (event.type === "text" ? event.text : "")).join("");
    expect(text).toBe(Array.from({ length: 300 }, (_, at) => `word${at} `).join(""));
    const cursors = received.map(({ cursor }) => cursor);
    expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b));
    // The stored transcript of a long answer has few rows.
    const stored = await (await lab.request(`/sessions/${session}/events`)).json();
    expect(Array.isArray(stored) && stored.length).toBeLessThan(12);
  });

  it("see who else is there, over WebSocket and server-sent events alike", async () => {
    const session = await lab.session();
    const client = lab.client();
    const token = await client.invite(session, { name: "Bob", role: "guest" });
    const socket = new WebSocket(`${lab.service.url.replace("http", "ws")}/sessions/${session}/events?from=0`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const events: SessionEvent[] = [];
    socket.on("message", (data) => events.push(sessionEvent.parse(JSON.parse(String(data)))));
    await once(socket, "open");
    const controller = new AbortController();
    const following = (async () => {
      for await (const _ of client.events(session, { signal: controller.signal }));
    })();
    const present = () => events.flatMap((event) => (event.type === "presence" ? [event.present.join()] : []));
    await vi.waitFor(() => expect(present()).toEqual(["Bob", "Bob,ada"]));
    expect(events.map(({ type }) => type)).toContain("ready");
    expect((await client.show(session)).present).toEqual(["Bob", "ada"]);
    controller.abort();
    await following;
    await vi.waitFor(() => expect(present()).toEqual(["Bob", "Bob,ada", "Bob"]), 15_000);

    // After a reconnection with its cursor, it gets what is new alone.
    const cursor = events.at(-1)?.cursor ?? 0;
    socket.close();
    await once(socket, "close");
    await client.send(session, "hi");
    await lab.idle(session);
    const again = new WebSocket(`${lab.service.url.replace("http", "ws")}/sessions/${session}/events?from=${cursor}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const later: SessionEvent[] = [];
    again.on("message", (data) => later.push(sessionEvent.parse(JSON.parse(String(data)))));
    await vi.waitFor(() => expect(later.filter(({ type }) => type !== "presence")).toHaveLength(3));
    expect(later.filter(({ type }) => type !== "presence").map(({ type }) => type)).toEqual([
      ...["message", "started", "finished"],
    ]);

    // Who is no longer invited is disconnected.
    await client.revoke(session, "Bob");
    await vi.waitFor(() => expect(again.readyState).toBe(WebSocket.CLOSING));
    // workerd closes the connection itself 20 s later.
    again.terminate();
    expect((await lab.request(`/sessions/${session}`, { token })).status).toBe(401);
  });

  it("are limited in number", async () => {
    const session = await lab.session();
    // The connection that waited for the sandbox counts until workerd notices that it is gone.
    await vi.waitFor(async () => expect((await lab.client().show(session)).present).toEqual([]), 15_000);
    const controller = new AbortController();
    const { signal } = controller;
    const headers = { accept: "text/event-stream" };
    const follow = async (): Promise<number> => {
      try {
        return (await lab.request(`/sessions/${session}/events`, { headers, signal })).status;
      } catch (error) {
        // A kept connection that workerd closed before the request reached it. Clients repeat it.
        if (!/other side closed|ECONNRESET/.test(String(error instanceof Error ? error.cause : error))) throw error;
        return follow();
      }
    };
    const statuses = await Promise.all(Array.from({ length: maxConnections + 40 }, follow));
    expect(statuses.filter((status) => status === 200)).toHaveLength(maxConnections);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
    controller.abort();
    await vi.waitFor(async () => expect((await lab.client().show(session)).present).toEqual([]), 15_000);
  });
});

describe("a reader who stops reading", () => {
  const floods = 14;
  let session: string;
  const url = () => `${lab.service.url}/sessions/${session}/events?from=0`;
  const headers = () => ({ authorization: `Bearer ${lab.service.token}` });
  const readAll = () => lab.until(session, isFinished(floods));
  const residentMb = (pid: number) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  const resident = () => [lab.service.workerd?.pid ?? 0, lab.runnerPid].map(residentMb);
  const open: { destroy: () => void }[] = [];

  async function socket(
    query: string,
    take: (event: SessionEvent, socket: WebSocket) => void = () => {},
  ): Promise<WebSocket> {
    const at = url().replace("http", "ws").replace("from=0", query);
    // What is sent is easy to compress.
    const opened = new WebSocket(at, { headers: headers(), perMessageDeflate: false });
    open.push({ destroy: () => opened.terminate() });
    // Before it is open: events may come together with the answer.
    opened.on("message", (data) => {
      const event = sessionEvent.parse(JSON.parse(String(data)));
      if (event.type !== "presence") take(event, opened);
    });
    await once(opened, "open");
    return opened;
  }
  /** Reads the response's head alone. */
  async function stream(at: string, given: Record<string, string>): Promise<void> {
    const asking = request(at, { headers: { ...given, accept: "text/event-stream" }, agent: false });
    open.push(asking);
    const [response] = await once(asking.end(), "response");
    expect(response.statusCode).toBe(200);
  }

  beforeAll(async () => {
    session = await lab.session();
    for (let at = 0; at < floods; at++) await lab.client().send(session, `flood ${at}`);
    await lab.idle(session);
  }, 120_000);
  afterEach(() => {
    for (const each of open.splice(0)) each.destroy();
  });

  it("neither makes the service grow by what they don't read, nor keeps others waiting", {
    timeout: 120_000,
  }, async () => {
    const events = await readAll();
    expect(JSON.stringify(events).length).toBeGreaterThan(100e6);
    const [workerd = 0, runner = 0] = resident();
    for (let count = 0; count < 4; count++) {
      for (const query of ["from=0", "from=0", "from=0&acknowledge=yes"]) (await socket(query)).pause();
      await stream(url(), headers());
    }
    const page = pageUrl(lab.folder, { session, person: "ada" });
    const body = JSON.stringify({ code: new URLSearchParams(new URL(page).hash.slice(1)).get("code") });
    const login = await fetch(new URL("/api/login", page), { method: "POST", body });
    const { token } = z.object({ token: z.string() }).parse(await login.json());
    for (let count = 0; count < 4; count++) {
      const at = new URL(`/api/sessions/${session}/events?from=0`, page);
      await stream(at.href, { authorization: `Bearer ${token}` });
    }
    expect(await readAll()).toEqual(events);
    // Eight copies are over 800 MB. What it needs to serve somebody who reads varies by less.
    const [workerdAfter = 0, runnerAfter = 0] = resident();
    expect(workerdAfter - workerd).toBeLessThan(120);
    expect(runnerAfter - runner).toBeLessThan(120);
  });

  /** The cursors of the last 15 MB, and the one before them. */
  async function lastCursors(): Promise<[from: number, cursors: number[]]> {
    const { cursor } = await lab.client().show(session);
    const stored = await lab.until(session, (event) => event.cursor === cursor, cursor - 250);
    return [cursor - 250, stored.map((event) => event.cursor)];
  }

  it("is asked to reconnect if they don't acknowledge anything, and so gets each event once", async () => {
    const [first, cursors] = await lastCursors();
    const received: number[] = [];
    const codes: unknown[] = [];
    while (received.length < cursors.length) {
      const reader = await socket(`from=${received.at(-1) ?? first}`, ({ cursor }) => received.push(cursor));
      const isOver = () => received.length >= cursors.length || reader.readyState === WebSocket.CLOSING;
      await vi.waitFor(() => expect(isOver()).toBe(true), 30_000);
      const closed = once(reader, "close");
      // workerd closes the connection itself 20 s later.
      reader.terminate();
      if (received.length < cursors.length) codes.push((await closed)[0]);
    }
    expect(received).toEqual(cursors);
    expect([codes.length > 5, [...new Set(codes)]]).toEqual([true, [4008]]);
  });

  it("gets everything over one WebSocket if they acknowledge it", async () => {
    const [first, cursors] = await lastCursors();
    const received: number[] = [];
    const reader = await socket(`from=${first}&acknowledge=yes`, ({ cursor }, to) => {
      received.push(cursor);
      to.send(JSON.stringify({ cursor }));
    });
    await vi.waitFor(() => expect(received).toHaveLength(cursors.length), 30_000);
    expect([received, reader.readyState]).toEqual([cursors, WebSocket.OPEN]);
  });
});

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
