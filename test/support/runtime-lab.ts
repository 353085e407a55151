import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { loadRuntime } from "../../components/sandbox/runtimes/registry.ts";
import type {
  AgentRuntime,
  ExecuteOptions,
  RuntimeConfig,
  RuntimeEvent,
} from "../../components/sandbox/runtimes/runtime.ts";
import type { McpServer } from "../../components/sandbox/spec.ts";
import { agentPath } from "./agent-clis.ts";
import { startFakeAnthropic } from "./fake-model-api/anthropic.ts";
import { startFakeResponses } from "./fake-model-api/responses.ts";
import type { FakeModelApi } from "./fake-model-api/server.ts";
import { type HostSandbox, hostSandbox } from "./host-sandbox.ts";

export type CliName = "claude" | "codex";

/** Long enough to be redacted, and found in files. */
export const apiKey = "sk-ant-lab-0123456789abcdef";

/** A real CLI in a sandbox on this machine, with a fake of its API. For one test file. */
export class RuntimeLab {
  readonly name: CliName;
  #api: FakeModelApi | undefined;
  readonly #sandboxes: HostSandbox[] = [];
  #path = "";

  constructor(name: CliName) {
    this.name = name;
    beforeAll(async () => {
      this.#path = await agentPath();
      this.#api = await (name === "claude" ? startFakeAnthropic() : startFakeResponses());
    });
    afterAll(async () => {
      for (const sandbox of this.#sandboxes) await sandbox[Symbol.asyncDispose]();
      await this.#api?.[Symbol.asyncDispose]();
    });
  }

  get api(): FakeModelApi {
    if (this.#api === undefined) throw new Error("the lab is used outside of a test");
    return this.#api;
  }

  /** @param path its PATH, by default with the CLIs */
  sandbox(path = this.#path): HostSandbox {
    const sandbox = hostSandbox(path);
    this.#sandboxes.push(sandbox);
    return sandbox;
  }

  config(sandbox: HostSandbox, overrides: Partial<RuntimeConfig> = {}): RuntimeConfig {
    const { name, api } = this;
    const { options, env } = overrides;
    return {
      sandbox,
      sessionId: "lab",
      repoPath: sandbox.repoPath,
      memoryPath: "/root/.mcp-memory/memory.jsonl",
      mcpServers: {} satisfies Record<string, McpServer>,
      ...overrides,
      options: { base_url: name === "claude" ? api.url : `${api.url}/v1`, ...options },
      env: { [name === "claude" ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY"]: apiKey, ...env },
    };
  }

  async initialized(sandbox: HostSandbox, overrides: Partial<RuntimeConfig> = {}): Promise<AgentRuntime> {
    const runtime = (await loadRuntime(this.name))();
    await runtime.initialize(this.config(sandbox, overrides));
    return runtime;
  }
}

export const context = { repo: "owner/repo", branch: "main", sessionId: "lab", memoryPath: "/m" };

export interface Executed {
  readonly answer: string;
  readonly events: readonly RuntimeEvent[];
}

export async function execute(runtime: AgentRuntime, prompt: string, options: ExecuteOptions = {}): Promise<Executed> {
  const events: RuntimeEvent[] = [];
  const answer = await runtime.execute(prompt, context, { ...options, onEvent: (event) => events.push(event) });
  return { answer, events };
}

/** The events of one type, in order. */
export function only<Type extends RuntimeEvent["type"]>(
  events: readonly RuntimeEvent[],
  type: Type,
): Extract<RuntimeEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<RuntimeEvent, { type: Type }> => event.type === type);
}

export function said(events: readonly RuntimeEvent[]): string {
  return only(events, "text")
    .map(({ text }) => text)
    .join("");
}

/** An MCP server with the tool `echo`, whose program is in the sandbox. */
export function mcpEcho(sandbox: HostSandbox): McpServer {
  const file = join(sandbox.home, "mcp-echo.mjs");
  copyFileSync(join(import.meta.dirname, "mcp-echo.mjs"), file);
  return { command: "node", args: [file], env: { TOKEN: "secret" } };
}
