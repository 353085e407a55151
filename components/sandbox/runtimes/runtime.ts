import type { Sandbox } from "../provider.ts";
import type { McpServer } from "../spec.ts";

/**
 * An agent that executes prompts in a sandbox. The option `runtime` in the fleet file selects it; nothing else has to
 * change. It runs in the session service's process, and acts on the sandbox only by `exec`.
 *
 * Calls: `initialize`, then any number of `execute`, one at a time, then `terminate`. After a restart of the service, a new
 * instance is initialized with the last `state`.
 */
export interface AgentRuntime {
  /** @throws RuntimeError, for instance `missing_api_key` */
  initialize(config: RuntimeConfig): Promise<void>;
  /**
   * @param prompt plain text. Nothing in it is a command, whatever it begins with or contains
   * @returns the agent's answer
   * @throws RuntimeError
   */
  execute(prompt: string, context: RuntimeContext, options?: ExecuteOptions): Promise<string>;
  /** Ends everything that the runtime started. Succeeds if the sandbox is gone. */
  terminate(): Promise<void>;
}

export interface RuntimeConfig {
  readonly sandbox: Sandbox;
  readonly sessionId: string;
  /** `/workspace/{repo}` in the sandbox. */
  readonly repoPath: string;
  /** `/root/.mcp-memory/memory.jsonl` in the sandbox. */
  readonly memoryPath: string;
  readonly mcpServers: Readonly<Record<string, McpServer>>;
  /** The changeling's `runtime_config`, as declared. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The agent's environment: declared variables and secret values. Don't put them in an argv, a log or an error. */
  readonly env: Readonly<Record<string, string>>;
  /** The last `state` event of this session's runtime, for instance the id of a conversation to resume. */
  readonly state?: unknown;
}

/** The context of one prompt (spec 004). */
export interface RuntimeContext {
  /** `owner/name`. */
  readonly repo: string;
  /** The branch that is checked out now. */
  readonly branch: string;
  readonly sessionId: string;
  readonly memoryPath: string;
}

export interface ExecuteOptions {
  /** Cancels the prompt; the runtime stays usable. Rejects with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: RuntimeEvent) => void) | undefined;
  /** The most seconds that it may take. */
  readonly timeoutSeconds?: number | undefined;
  /** The most US dollars that it may cost, where the runtime knows its cost. */
  readonly budgetUsd?: number | undefined;
}

/** An event during the execution of a prompt. */
export type RuntimeEvent =
  /** A piece of text, in order. Together they are everything that the agent said, also between its tool calls. */
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_call"; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: "tool_result"; readonly id: string; readonly output: string; readonly isError: boolean }
  /** Of this prompt alone, not of the session. */
  | { readonly type: "usage"; readonly inputTokens: number; readonly outputTokens: number }
  | { readonly type: "cost"; readonly usd: number }
  /** For people: for instance a retry, or a server that did not start. */
  | { readonly type: "notice"; readonly text: string }
  /** Data that a later instance needs to continue. Plain JSON without secrets. */
  | { readonly type: "state"; readonly state: unknown };

export const runtimeErrorCodes = [
  "missing_api_key",
  "timeout",
  "runtime_failed",
  "sandbox_gone",
  "over_budget",
  "cancelled",
] as const;
export type RuntimeErrorCode = (typeof runtimeErrorCodes)[number];

export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The default export of a runtime's module. */
export type RuntimeFactory = () => AgentRuntime;
