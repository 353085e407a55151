/**
 * A session service with sandboxes that are folders, for tests: `node test/support/session-service.ts <folder>`.
 *
 * What a sandbox executes is appended to `<folder>/executed` before and after, one line each, so that a test sees what was
 * executed how often, whatever was killed meanwhile.
 */

import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SandboxManager } from "../../components/sandbox/manager.ts";
import { SandboxError, SandboxGone } from "../../components/sandbox/provider.ts";
import type { RunningSandbox } from "../../components/sandbox/running-sandbox.ts";
import { type ExecuteOptions, RuntimeError } from "../../components/sandbox/runtimes/runtime.ts";
import { startSessionService } from "../../components/sandbox/sessions/runner/run.ts";
import type { SandboxSpec } from "../../components/sandbox/spec.ts";

const [, , folder = ""] = process.argv;
process.umask(0o077);
const executed = (line: string) => appendFileSync(join(folder, "executed"), `${line}\n`);
const pathOf = (id: string) => join(folder, "sandboxes", id);
const snapshotPath = (id: string) => join(folder, "snapshots", id);

const spec = (name: string): SandboxSpec => ({
  ...{ name, provider: "local", isolation: "none", owner: "local", repo: "demo", url: "/nowhere", branch: "main" },
  ...{ runtime: "stub", runtimeConfig: {}, mcpServers: {}, userName: "Ada", userEmail: "ada@example.org" },
  ...{ timeoutSeconds: Number(/-(\d+)s$/.exec(name)?.[1] ?? 3600), secrets: ["KEY"], env: {} },
  sleepAfterSeconds: /-idle$/.test(name) ? 1 : undefined,
});

const manager: SandboxManager = {
  async start({ name }, { sessionId, branch, onProgress, onNew, signal }) {
    onProgress?.("creating the sandbox");
    if (name === "broken") throw new SandboxError("clone", "the repository does not exist");
    if (name === "slow") await sleep(60_000, undefined, { signal });
    onNew?.(sessionId);
    mkdirSync(pathOf(sessionId), { recursive: true });
    return running(sessionId, branch ?? "main");
  },
  async reopen(_spec, { sessionId, sandboxId, snapshot, branch, state, onNew }) {
    if (state !== undefined) executed(`state ${JSON.stringify(state)}`);
    if (sandboxId !== undefined && existsSync(pathOf(sandboxId))) return running(sandboxId, branch ?? "main");
    if (snapshot === undefined) throw new SandboxError("resume", "its sandbox is gone, and there is no snapshot of it");
    const id = `${sessionId}-${randomUUID()}`;
    onNew?.(id);
    await copyWhole(snapshotPath(snapshot), pathOf(id));
    return running(id, branch ?? "main");
  },
  warm: async () => ({ id: "warm" }),
  snapshot: async (_spec, id) => (existsSync(pathOf(id)) ? await snapshotOf(id) : undefined),
  capabilities: async ({ name }) => ({
    ...{
      isolation: "none",
      snapshots: !name.startsWith("unsaved"),
      volumes: true,
      egress: "none",
      broker: false,
      expires: false,
    },
  }),
  terminate: async (_spec, id) => rmSync(pathOf(id), { recursive: true, force: true }),
  async removeSnapshot(_spec, snapshot) {
    rmSync(snapshotPath(snapshot), { recursive: true, force: true });
    executed(`removed ${snapshot}`);
  },
};

async function snapshotOf(id: string): Promise<string> {
  const name = `snapshot-of-${id}-${randomUUID()}`;
  await copyWhole(pathOf(id), snapshotPath(name));
  return name;
}

/** Whole or not at all, whenever this process is killed. */
async function copyWhole(from: string, to: string): Promise<void> {
  const half = join(folder, `half-${randomUUID()}`);
  cpSync(from, half, { recursive: true });
  await sleep(20);
  mkdirSync(dirname(to), { recursive: true });
  renameSync(half, to);
}

function running(id: string, branch: string): RunningSandbox {
  const alive = () => {
    if (!existsSync(pathOf(id))) throw new RuntimeError("sandbox_gone", "the sandbox is gone");
  };
  return {
    sandboxId: id,
    async prompt(text, options = {}) {
      alive();
      executed(`begin ${text}`);
      appendFileSync(join(pathOf(id), "work"), `${text}\n`);
      const answer = await perform(text, options, alive);
      executed(`end ${text}`);
      return answer;
    },
    currentBranch: async () => branch,
    diff: async () => "diff --git a/file b/file\n",
    // A test may have put one there.
    async bundle() {
      const path = join(pathOf(id), "bundle");
      return existsSync(path) ? readFileSync(path, "utf8") : "YnVuZGxl";
    },
    async snapshot() {
      if (!existsSync(pathOf(id))) throw new SandboxGone(id);
      return await snapshotOf(id);
    },
    terminate: async () => rmSync(pathOf(id), { recursive: true, force: true }),
  };
}

/** The first word of a prompt says what to do: `wait 100`, `stream 50`, `hang`, `fail`, `cost 2`, `tool`, `leak`. */
async function perform(text: string, { signal, onEvent }: ExecuteOptions, alive: () => void): Promise<string> {
  const [word, argument] = text.split(" ");
  switch (word) {
    case "wait":
      await pause(Number(argument), signal);
      break;
    case "stream":
      for (let at = 0; at < Number(argument); at++) {
        onEvent?.({ type: "text", text: `word${at} ` });
        if (at % 10 === 9) await pause(5, signal);
      }
      break;
    case "flood":
      // As much as the log of one run takes.
      for (let at = 0; at < 125; at++)
        onEvent?.({ type: "tool_result", id: String(at), output: "x".repeat(60_000), isError: false });
      break;
    case "hang":
      await pause(600_000, signal);
      break;
    case "fail":
      throw new RuntimeError("runtime_failed", "it failed");
    case "cost":
      onEvent?.({ type: "cost", usd: Number(argument) });
      break;
    case "tool":
      onEvent?.({ type: "text", text: "first" });
      onEvent?.({ type: "tool_call", id: "1", name: "Bash", input: { command: "ls" } });
      onEvent?.({ type: "tool_result", id: "1", output: "file", isError: false });
      onEvent?.({ type: "usage", inputTokens: 1, outputTokens: 2 });
      onEvent?.({ type: "state", state: { conversation: "c1" } });
      break;
    case "leak":
      for (const part of ["the key is s3cr", "et-value", "-of-the-key!"]) onEvent?.({ type: "text", text: part });
      onEvent?.({ type: "tool_result", id: "1", output: "KEY=s3cret-value-of-the-key", isError: false });
      return "s3cret-value-of-the-key";
    default:
  }
  alive();
  return `answer to ${text}`;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw new RuntimeError("cancelled", "it was cancelled", { cause: error });
  }
}

const stop = await startSessionService({
  ...{ folder, manager, checkEveryMs: 100, secrets: () => ({ KEY: "s3cret-value-of-the-key" }) },
  changeling(name) {
    if (name === "unknown") throw new Error("there is no sandbox changeling unknown");
    return { spec: spec(name) };
  },
  log: (line) => appendFileSync(join(folder, "log"), `${line}\n`),
});
writeFileSync(join(folder, "ready"), String(process.pid));
process.once("SIGTERM", () => void stop().finally(() => process.exit(0)));
