import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { type RuntimeSubject, runtimeContract } from "../../components/sandbox/runtimes/contract.ts";
import { MngrRuntime } from "../../components/sandbox/runtimes/mngr.ts";
import type { RuntimeConfig } from "../../components/sandbox/runtimes/runtime.ts";
import { startFakeAnthropic } from "../support/fake-model-api/anthropic.ts";
import type { FakeModelApi } from "../support/fake-model-api/server.ts";
import { apiKey } from "../support/runtime-lab.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** With the real mngr and Claude Code in real sandboxes. Each prompt starts both, so the suite takes minutes. */
describe("the contract of runtimes: mngr", () => {
  const folder = mkdtempSync(join(tmpdir(), "mngr-runtime-"));
  const provider = localProvider({ sandboxes: folder });
  let api: FakeModelApi;
  let number = 0;

  beforeAll(async () => {
    api = await startFakeAnthropic();
  });
  afterAll(async () => {
    for (const { id } of await provider.list({})) await (await provider.open(id))?.terminate();
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const repoPath = "/workspace/site";
  const config = async (): Promise<RuntimeConfig> => {
    const spec = sandboxSpec({ runtime: "mngr", allowDomains: [new URL(api.url).host] });
    number += 1;
    const image = await provider.prepareImage({ spec });
    const sandbox = await provider.create({ id: `s${number}`, spec, image, volumes: {}, labels: {} });
    const commit = "git -c user.name=Ada -c user.email=ada@example.org commit -q --allow-empty -m Begin";
    const init = `mkdir ${repoPath} && cd ${repoPath} && git init -q -b main && ${commit}`;
    await sandbox.exec(["sh", "-c", init], { timeoutSeconds: 60 });
    return {
      ...{ sandbox, sessionId: "contract", repoPath, memoryPath: "/root/.mcp-memory/memory.jsonl", mcpServers: {} },
      options: { settle_seconds: 1 },
      env: { ANTHROPIC_API_KEY: apiKey, ANTHROPIC_BASE_URL: api.url },
    };
  };
  const subject: RuntimeSubject = {
    create: () => new MngrRuntime(),
    config,
    prompt: "hello",
    echoes: true,
    slowPrompt: "@@hang",
    failingPrompt: "@@fail 400",
    endSandbox: ({ sandbox }) => sandbox.terminate(),
  };
  for (const { name, run } of runtimeContract) it(name, () => run(subject));
});
