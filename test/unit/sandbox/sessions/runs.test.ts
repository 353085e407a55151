import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunningSandbox, SandboxManager } from "../../../../components/sandbox/manager.ts";
import { Records } from "../../../../components/sandbox/sessions/runner/records.ts";
import { Runs } from "../../../../components/sandbox/sessions/runner/runs.ts";
import { Sandboxes } from "../../../../components/sandbox/sessions/runner/sandboxes.ts";
import type { RunLine, RunRequest } from "../../../../components/sandbox/sessions/runner-protocol.ts";
import { sandboxSpec } from "../../../../components/sandbox/spec.ts";

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

it("ends a sandbox that was made although its start was cancelled", async () => {
  const { runs } = runner();
  const made = Promise.withResolvers<RunningSandbox>();
  manager.start.mockReturnValueOnce(made.promise);
  const started = lines(runs, `${session}-start`, start);
  await vi.waitFor(() => expect(manager.start).toHaveBeenCalled());
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
