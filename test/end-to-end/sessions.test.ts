import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
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
  await vi.waitFor(
    async () => expect(await client.list({ changeling: "example" })).toMatchObject([{ id, title: "Try" }]),
    15_000,
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
  await vi.waitFor(() => expect(lab.executed).toContain(`removed ${snapshot}`), 15_000);
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
  await vi.waitFor(() => expect(kept("sandboxes", id)).toEqual([]), 15_000);
  expect(kept("snapshots", id)).toHaveLength(1);
  const listed = async () => (await client.list({ changeling: "example-idle" })).map((each) => each.isAsleep);
  await vi.waitFor(async () => expect(await listed()).toEqual([true]), 15_000);
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
  await vi.waitFor(() => expect([kept("sandboxes", id), kept("snapshots", id).length]).toEqual([[], 1]), 15_000);
  expect(await client.diff(id)).toBe("diff --git a/file b/file\n");
  await vi.waitFor(async () => expect((await client.show(id)).isAsleep).toBe(false), 15_000);
  await client.stop(id);
  await vi.waitFor(() => expect([kept("sandboxes", id), kept("snapshots", id)]).toEqual([[], []]), 15_000);
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
  await vi.waitFor(() => expect(readdirSync(join(lab.folder, "sandboxes"))).not.toContain(id), 15_000);
  expect((await client.stop(id)).status).toBe("terminated");
});
