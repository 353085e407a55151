import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { waitingLimits } from "../../../../components/lib/waiting-connections.ts";
import type { SandboxManager } from "../../../../components/sandbox/manager.ts";
import type { RunningSandbox } from "../../../../components/sandbox/running-sandbox.ts";
import { Records } from "../../../../components/sandbox/sessions/runner/records.ts";
import { Runs } from "../../../../components/sandbox/sessions/runner/runs.ts";
import { Sandboxes } from "../../../../components/sandbox/sessions/runner/sandboxes.ts";
import { startRunnerServer } from "../../../../components/sandbox/sessions/runner/server.ts";
import type { RunLine, RunRequest } from "../../../../components/sandbox/sessions/runner-protocol.ts";
import { sandboxSpec } from "../../../../components/sandbox/spec.ts";
import { flood } from "../../../support/flood.ts";

const session = "0123456789abcdef0123";
const spec = sandboxSpec.parse({
  ...{ name: "example", provider: "local", isolation: "none", owner: "local", repo: "demo", url: "/x", branch: "main" },
  ...{ runtime: "stub", runtimeConfig: {}, mcpServers: {}, userName: "Ada", userEmail: "ada@example.org" },
  ...{ timeoutSeconds: 60, secrets: [], env: {} },
});

let folder: string;
let records: Records;
const prompts: string[] = [];
const sandbox: RunningSandbox = {
  sandboxId: "sbx-1",
  prompt: async (text) => {
    prompts.push(text);
    return `did ${text}`;
  },
  currentBranch: async () => "main",
  diff: async () => "",
  bundle: async () => "",
  snapshot: async () => "snap-1",
  terminate: vi.fn(async () => {}),
};
const manager = {
  start: vi.fn(async () => sandbox),
  reopen: vi.fn(async () => sandbox),
  warm: async () => ({ id: "" }),
  snapshot: vi.fn(async (): Promise<string | undefined> => "snap-2"),
  capabilities: async () =>
    ({
      ...{ isolation: "none", snapshots: true, volumes: true, egress: "none", broker: false, expires: false },
    }) as const,
  terminate: vi.fn(async () => {}),
  removeSnapshot: vi.fn(async () => {}),
} satisfies SandboxManager;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runs-"));
  records = new Records(join(folder, "runner.sqlite"));
  prompts.length = 0;
  vi.clearAllMocks();
});
afterEach(() => {
  records.close();
  rmSync(folder, { recursive: true });
});

/** A runner, as after a start of its process. */
function runner(secrets: () => Record<string, string> = () => ({})) {
  records.close();
  records = new Records(join(folder, "runner.sqlite"));
  const sandboxes = new Sandboxes({ manager, records, changeling: () => ({ spec }), secrets });
  return { sandboxes, runs: new Runs(records, sandboxes) };
}

async function lines(runs: Runs, key: string, request: RunRequest): Promise<RunLine[]> {
  const all: RunLine[] = [];
  for await (const line of runs.lines(key, request)) if (line.line !== "epoch") all.push(line);
  return all;
}

const start: RunRequest = { kind: "start", session, changeling: "example", from: 0 };
const prompt = (text: string, epoch?: string): RunRequest => ({ kind: "prompt", session, text, from: 0, epoch });
const key = (message: number) => `${session}-${message}-1`;

it("executes a key once, and repeats its outcome after a restart", async () => {
  const { runs } = runner();
  await lines(runs, `${session}-start`, start);
  const done = [{ line: "outcome", outcome: { state: "done", answer: "did it" } }];
  expect(await Promise.all([lines(runs, key(1), prompt("it")), lines(runs, key(1), prompt("it"))])).toEqual([
    done,
    done,
  ]);
  expect(await lines(runner().runs, key(1), prompt("it"))).toEqual(done);
  expect(prompts).toEqual(["it"]);
});

it("interrupts a key that an earlier runner began, and one of records that are gone", async () => {
  runner();
  records.beginRun(key(1), session, "prompt");
  const interrupted = { line: "outcome", outcome: expect.objectContaining({ state: "interrupted" }) };
  const { runs } = runner();
  expect(await lines(runs, key(1), prompt("it"))).toEqual([interrupted]);
  expect(await lines(runs, key(2), prompt("it", "another epoch"))).toEqual([interrupted]);
  // It stays so, whatever is known later.
  expect(await lines(runs, key(2), prompt("it", records.epoch))).toEqual([interrupted]);
  expect(prompts).toEqual([]);
});

it("begins a start again that was interrupted", async () => {
  runner();
  records.beginRun(`${session}-start`, session, "start");
  expect(await lines(runner().runs, `${session}-start`, start)).toEqual([
    { line: "outcome", outcome: { state: "done", answer: "main" } },
  ]);
});

it("does not execute a run that was cancelled before its request arrived", async () => {
  const cancelled = [{ line: "outcome", outcome: { state: "cancelled" } }];
  runner();
  // A start that was under way as the service was killed would otherwise begin again.
  records.beginRun(`${session}-start`, session, "start");
  const { runs } = runner();
  runs.cancel(`${session}-start`);
  expect(await lines(runs, `${session}-start`, start)).toEqual(cancelled);
  runs.cancel(key(1));
  expect(await lines(runs, key(1), prompt("it"))).toEqual(cancelled);
  expect(await lines(runner().runs, key(1), prompt("it"))).toEqual(cancelled);
  expect(manager.start).not.toHaveBeenCalled();
  expect(prompts).toEqual([]);
});

it("removes the snapshot of a sandbox that fell asleep while another was requested", async () => {
  const { runs, sandboxes } = runner();
  await lines(runs, `${session}-start`, start);
  vi.mocked(sandbox.terminate).mockClear();
  const snapshot = vi.spyOn(sandbox, "snapshot").mockResolvedValueOnce("snap-asleep");
  const asleep = sandboxes.sleep(session);
  expect(await sandboxes.snapshot(session)).toBe("snap-1");
  await asleep;
  expect(manager.removeSnapshot.mock.calls).toEqual([[spec, "snap-asleep"]]);
  snapshot.mockRestore();
});

it("fails a run whose output could not be redacted, and executes nothing", async () => {
  const { runs } = runner(() => {
    throw new Error("it is not a secrets file");
  });
  const failure = { code: "runtime_failed", message: "it is not a secrets file" };
  expect(await lines(runs, `${session}-start`, start)).toEqual([
    { line: "outcome", outcome: { state: "failed", failure } },
  ]);
  expect(manager.start).not.toHaveBeenCalled();
});

it("executes a prompt with the secrets of now, in the same sandbox", async () => {
  let secrets = { ANTHROPIC_API_KEY: "wrong" };
  const { runs } = runner(() => secrets);
  await lines(runs, `${session}-start`, start);
  await lines(runs, key(1), prompt("one"));
  expect(manager.reopen).not.toHaveBeenCalled();
  secrets = { ANTHROPIC_API_KEY: "right" };
  await lines(runs, key(2), prompt("two"));
  await lines(runs, key(3), prompt("three"));
  expect(manager.reopen.mock.calls).toEqual([[spec, expect.objectContaining({ sandboxId: "sbx-1", secrets })]]);
  expect(prompts).toEqual(["one", "two", "three"]);
});

it("ends a sandbox that was made although its start was cancelled", async () => {
  const { runs } = runner();
  const made = Promise.withResolvers<RunningSandbox>();
  manager.start.mockReturnValueOnce(made.promise);
  const started = lines(runs, `${session}-start`, start);
  await vi.waitFor(() => expect(manager.start).toHaveBeenCalled(), 15_000);
  runs.cancel(`${session}-start`);
  made.resolve(sandbox);
  expect(await started).toEqual([{ line: "outcome", outcome: { state: "cancelled" } }]);
  expect(sandbox.terminate).toHaveBeenCalled();
  expect(records.session(session)).toBeUndefined();
});

it("ends a sandbox after a restart without its runtime, and removes its snapshot", async () => {
  const first = runner();
  await lines(first.runs, `${session}-start`, start);
  await first.sandboxes.snapshot(session);
  const { sandboxes } = runner();
  await sandboxes.terminate(session);
  await sandboxes.terminate(session);
  expect(manager.reopen).not.toHaveBeenCalled();
  expect(manager.terminate.mock.calls).toEqual([[spec, "sbx-1"]]);
  expect(manager.removeSnapshot.mock.calls).toEqual([[spec, "snap-1"]]);
});

it("ends what a start that was killed had made, before it makes another", async () => {
  runner();
  records.beginRun(`${session}-start`, session, "start");
  const half = { changeling: "example", spec: JSON.stringify(spec), branch: null, snapshot: null, state: null };
  const times = { expires_at: new Date().toISOString(), used_at: "", is_asleep: 0, reported_asleep: 0 };
  records.saveSession({ id: session, ...half, ...times, sandbox: "sbx-half" });
  expect(records.expired(new Date(Date.now() + 1000))).toEqual([]);
  await lines(runner().runs, `${session}-start`, start);
  expect(manager.terminate.mock.calls).toEqual([[spec, "sbx-half"]]);
  expect(records.session(session)?.sandbox).toBe("sbx-1");
});

it("ends the sandbox of a session that fell asleep as the service was killed, and wakes up from its snapshot", async () => {
  const first = runner();
  await lines(first.runs, `${session}-start`, start);
  records.fallAsleep(session, "snap-9");
  const { runs } = runner();
  expect(records.halfAsleep()).toEqual([session]);
  await lines(runs, key(1), prompt("it"));
  expect(manager.terminate.mock.calls).toEqual([[spec, "sbx-1"]]);
  const reopened = { sandboxId: undefined, snapshot: "snap-9" };
  expect(manager.reopen.mock.calls).toEqual([[spec, expect.objectContaining(reopened)]]);
});

it("does not end a sandbox that can't be saved", async () => {
  const { runs, sandboxes } = runner();
  await lines(runs, `${session}-start`, start);
  const snapshot = vi.spyOn(sandbox, "snapshot").mockRejectedValueOnce(new Error("the disk is full"));
  await expect(sandboxes.sleep(session)).rejects.toThrow("the disk is full");
  snapshot.mockRestore();
  expect(sandbox.terminate).not.toHaveBeenCalled();
  await lines(runs, key(1), prompt("it"));
  expect(prompts).toEqual(["it"]);
  expect(manager.reopen).not.toHaveBeenCalled();
});

it("takes over the records of a version whose sandboxes did not sleep", () => {
  const path = join(folder, "former.sqlite");
  const sqlite = process.getBuiltinModule("node:sqlite");
  const former = new sqlite.DatabaseSync(path);
  former.exec(`CREATE TABLE sessions(id TEXT PRIMARY KEY, changeling TEXT NOT NULL, spec TEXT NOT NULL, branch TEXT,
    sandbox TEXT NOT NULL, snapshot TEXT, state TEXT, expires_at TEXT NOT NULL);
    INSERT INTO sessions VALUES('${session}', 'example', '{}', NULL, 'sbx-1', NULL, NULL, '2026-01-01T00:00:00Z')`);
  former.close();
  const taken = new Records(path);
  expect(taken.session(session)).toMatchObject({ sandbox: "sbx-1", is_asleep: 0 });
  expect([taken.expired(new Date()), taken.idle(new Date(Date.now() + 1e9))]).toEqual([[session], []]);
  taken.close();
});

it("limits connections without the runner's secret", async () => {
  const { runs, sandboxes } = runner();
  const { server, port } = await startRunnerServer({ runs, sandboxes, secret: "s".repeat(64), log: () => {} });
  try {
    using crowd = await flood(port, waitingLimits.most + 20, "GET / HTTP/1.1\r\n");
    await expect.poll(crowd.open, { timeout: 10_000 }).toBe(waitingLimits.most);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
