import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { imageMcpServers } from "../../components/sandbox/image/mcp-servers.ts";
import { memoryLines } from "../../components/sandbox/image/memory-seed.ts";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import type { Sandbox } from "../../components/sandbox/provider.ts";
import { memoryFolder, memoryPath } from "../../components/sandbox/spec.ts";
import { callMcp } from "../support/call-mcp.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** The image's npm packages and /app as the local provider mounts them: the real MCP servers, with the official client. */

const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
const provider = localProvider({ sandboxes });
const { memory, filesystem } = imageMcpServers();
const spec = sandboxSpec({ runtime: "/my/runtime.ts" });
const volumes = { [memoryFolder]: "harvest-memory-acme-site" };
let sandbox: Sandbox;

beforeAll(async () => {
  const image = await provider.prepareImage({ spec });
  sandbox = await provider.create({ id: "first", spec, image, volumes, labels: {} });
});
afterAll(async () => {
  await sandbox?.terminate();
  rmSync(sandboxes, { recursive: true, force: true });
});

test("the memory server reads the seed, and what it remembers is in another sandbox of the repository", async () => {
  const seeding = await sandbox.exec(["sh", "-c", `cat > ${memoryPath}`], { timeoutSeconds: 60, stdin: memoryLines() });
  expect(seeding.code).toBe(0);
  const entity = { name: "payments-tests", entityType: "trap", observations: ["need DB_PORT=5433"] };
  const found = await callMcp(sandbox, memory, [
    ["search_nodes", { query: "stash" }],
    ["create_entities", { entities: [entity] }],
  ]);
  expect(found).toContain("safe-carry-forward");
  const image = await provider.prepareImage({ spec });
  const other = await provider.create({ id: "second", spec, image, volumes, labels: {} });
  const opened = await callMcp(other, memory, [["open_nodes", { names: ["payments-tests", "panic-button"] }]]);
  expect(opened).toContain("DB_PORT=5433");
  expect(opened).toContain("PANIC:");
  await other.terminate();
});

test("the filesystem server reaches the workspace, and nothing else", async () => {
  await sandbox.exec(["sh", "-c", "echo text > /workspace/file; echo text > /root/file"], { timeoutSeconds: 60 });
  expect(await callMcp(sandbox, filesystem, [["read_text_file", { path: "/workspace/file" }]])).toContain("text");
  await expect(callMcp(sandbox, filesystem, [["read_text_file", { path: "/root/file" }]])).rejects.toThrow();
});

test("verify proves what is there, and names what is not", async () => {
  const { code, stdout } = await sandbox.exec(["node", "/app/verify.mjs"], { timeoutSeconds: 150 });
  const { ok, missing, parts } = JSON.parse(stdout);
  expect(code).toBe(ok ? 0 : 1);
  const servers = parts.filter(({ kind }: { kind: string }) => kind === "mcp server");
  expect(servers.map(({ name, ok, tools }: Record<string, unknown>) => [name, ok, Array.isArray(tools)])).toEqual(
    ["memory", "filesystem", "playwright", "devtools", "github"].map((name) => [name, true, true]),
  );
  // The system's programs are this machine's.
  const own = new Set(["gh", "wget", "jq", "rg", "tree", "fd", "vim", "less", "cc", "make", "npm", "chromium", "curl"]);
  expect(missing.filter((name: string) => !own.has(name))).toEqual([]);
});
