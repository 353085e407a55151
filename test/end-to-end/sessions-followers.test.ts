import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
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
    await vi.waitFor(() => expect(received.some(({ type }) => type === "text")).toBe(true), 15_000);
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
    await vi.waitFor(() => expect(present()).toEqual(["Bob", "Bob,ada"]), 15_000);
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
    await vi.waitFor(() => expect(later.filter(({ type }) => type !== "presence")).toHaveLength(3), 15_000);
    expect(later.filter(({ type }) => type !== "presence").map(({ type }) => type)).toEqual([
      ...["message", "started", "finished"],
    ]);

    // Who is no longer invited is disconnected.
    await client.revoke(session, "Bob");
    await vi.waitFor(() => expect(again.readyState).toBe(WebSocket.CLOSING), 15_000);
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
