import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type {
  JSONObject,
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  SharedV4Warning,
} from "@ai-sdk/provider";
import * as z from "zod/mini";
import { systemPrompt, unsupported } from "./call-settings.ts";
import { type ClaudeEventOf, ClaudeRun, claudeEvent, claudeInput, claudeKeys } from "./claude-events.ts";
import {
  type Call,
  CliLanguageModel,
  type CliModelOptions,
  type Command,
  type TextCli,
  type TextRun,
} from "./cli-language-model.ts";
import { cliEnvironment } from "./environment.ts";
import { type Environment, invalidVariable } from "./errors.ts";

/** `providerOptions.claudeCli` of a call. */
const callOptions = z.object({
  /** The maximum cost of the call in US dollars; checked after each turn. */
  maxBudgetUsd: z.optional(z.number().check(z.gt(0))),
});

const claude: TextCli = {
  name: "claude",
  provider: "claude-cli",
  key: "claudeCli",
  secrets: claudeKeys,
  install: "install it (npm install -g @anthropic-ai/claude-code), or set CLAUDE_CLI_PATH",
  login:
    "set CLAUDE_CODE_OAUTH_TOKEN (`claude setup-token`) or ANTHROPIC_API_KEY, or CLAUDE_HOME to a folder with a login",
  idleTimeoutSeconds: 300,
  modelId: (model, env) => model ?? (env["CLAUDE_DEFAULT_MODEL"] || "sonnet"),
  warnings: (options) => [...unsupported(options, ["maxOutputTokens"]), ...effortOf(options).warnings],
  async command(call, model) {
    const { env, folder } = call;
    const system = join(folder, "system.md");
    // In a file, because other users can see arguments, and their size is limited.
    await writeFile(system, systemPrompt(call), { mode: 0o600 });
    const argv = argumentsOf(call, claude.modelId(model, env));
    return {
      argv: [env["CLAUDE_CLI_PATH"] || "claude", ...argv, "--system-prompt-file", system],
      env: environmentOf(call),
      stdin: stdinOf(call.prompt.text),
    } satisfies Command;
  },
  run: (call) => new ClaudeTextRun(schemaOf(call) !== undefined),
};

/** A language model that runs `claude --print`. Default model: `CLAUDE_DEFAULT_MODEL`, else `sonnet`. */
export function claudeCli(options: CliModelOptions = {}): LanguageModelV4 {
  return new CliLanguageModel(claude, options);
}

/** `claudeCli` with the environment of this process, read at each call. */
export const claudeCliLanguageModel: LanguageModelV4 = claudeCli();

function argumentsOf(call: Call, model: string): string[] {
  const { options, streams } = call;
  const { maxBudgetUsd } = callOptions.parse(options.providerOptions?.["claudeCli"] ?? {});
  const schema = schemaOf(call);
  const { effort } = effortOf(options);
  return [
    ...["--print", "--output-format", streams ? "stream-json" : "json"],
    ...(streams ? ["--verbose", "--include-partial-messages"] : []),
    ...["--model", model],
    // Without anybody's settings, hooks, servers, memory files or tools. `@path` in the prompt is text.
    ...["--restricted", "--strict-mcp-config", "--setting-sources", "", "--tools", "", "--no-session-persistence"],
    ...(effort === undefined ? [] : ["--effort", effort]),
    ...(maxBudgetUsd === undefined ? [] : ["--max-budget-usd", String(maxBudgetUsd)]),
    ...(schema === undefined ? [] : ["--json-schema", JSON.stringify(schema)]),
  ];
}

function schemaOf({ options: { responseFormat } }: Call): unknown {
  return responseFormat?.type === "json" ? responseFormat.schema : undefined;
}

/** The CLI's whole environment, with spec 003's variables under the CLI's names. */
export function claudeEnvironment(env: Environment): Record<string, string> {
  return cliEnvironment(env, claudeKeys, {
    CLAUDE_CONFIG_DIR: env["CLAUDE_HOME"] || env["CLAUDE_CONFIG_DIR"],
    ANTHROPIC_BASE_URL: env["CLAUDE_API_URL"] || env["ANTHROPIC_BASE_URL"],
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  });
}

function environmentOf({ env, options }: Call): Record<string, string> {
  const limit = options.maxOutputTokens?.toString() ?? maxTokens(env);
  return {
    ...claudeEnvironment(env),
    ...(limit ? { CLAUDE_CODE_MAX_OUTPUT_TOKENS: limit } : {}),
    // The caller retries. The CLI would do so for minutes, even with a key that the API rejects.
    CLAUDE_CODE_MAX_RETRIES: "0",
    CLAUDE_CODE_DISABLE_AUTO_MEMORY: "1",
  };
}

function maxTokens(env: Environment): string | undefined {
  const tokens = env["CLAUDE_MAX_TOKENS"];
  if (tokens && !/^[1-9]\d*$/.test(tokens))
    throw invalidVariable("CLAUDE_MAX_TOKENS", `is ${JSON.stringify(tokens)}: write a number of tokens, such as 4096`);
  return tokens;
}

/** The CLI reads a prompt that begins with a slash as a command. */
function stdinOf(text: string): string {
  return text.trimStart().startsWith("/") ? ` ${text.trimStart()}` : text;
}

function effortOf({ reasoning }: LanguageModelV4CallOptions): { effort?: string; warnings: SharedV4Warning[] } {
  if (reasoning === undefined || reasoning === "provider-default") return { warnings: [] };
  if (reasoning !== "none" && reasoning !== "minimal") return { effort: reasoning, warnings: [] };
  const details = `${reasoning} is not a level of the CLI: low is used`;
  return { effort: "low", warnings: [{ type: "compatibility", feature: "reasoning", details }] };
}

class ClaudeTextRun implements TextRun {
  readonly outcome = new ClaudeRun();
  readonly #isStructured: boolean;
  #block = -1;

  constructor(isStructured: boolean) {
    this.#isStructured = isStructured;
  }

  take(value: unknown, say: (text: string, block: number) => void): void {
    const event = claudeEvent(value);
    if (event === undefined) return;
    this.outcome.take(event);
    // Structured output is the input of a tool, and complete in the result.
    if (event.type !== "stream_event" || event.parent_tool_use_id || this.#isStructured) return;
    const { type, content_block, delta } = event.event;
    if (type === "content_block_start" && content_block?.type === "text") this.#block += 1;
    if (type === "content_block_delta" && delta?.type === "text_delta" && delta.text) say(delta.text, this.#block);
  }

  end(otherwise: string) {
    const result = this.outcome.result;
    const costUsd = result?.total_cost_usd ?? 0;
    const failure = this.outcome.failure(otherwise);
    if (failure !== undefined || result === undefined)
      return {
        failure: failure ?? { code: "failed" as const, status: undefined, reason: otherwise },
        isRetryable: failure?.code === "failed" && isTransient(failure.status, result),
        costUsd,
      };
    const structured = this.#isStructured && result.structured_output !== undefined;
    return {
      text: structured ? JSON.stringify(result.structured_output) : (result.result ?? ""),
      usage: usageOf(result),
      finishReason: structured ? { unified: "stop" as const, raw: result.stop_reason ?? undefined } : finishOf(result),
      metadata: {
        costUsd,
        ...(result.session_id === undefined ? {} : { sessionId: result.session_id }),
      } satisfies JSONObject,
    };
  }
}

/** Without a status, the API did not answer, or broke off; without a result, the CLI sent no request. */
function isTransient(status: number | undefined, result: ClaudeEventOf<"result"> | undefined): boolean {
  if (status === undefined) return result?.subtype === "success";
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function usageOf({ usage = {} }: ClaudeEventOf<"result">) {
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = usage;
  return {
    inputTokens: {
      total: claudeInput(usage),
      noCache: input_tokens ?? undefined,
      cacheRead: cache_read_input_tokens ?? undefined,
      cacheWrite: cache_creation_input_tokens ?? undefined,
    },
    outputTokens: {
      total: output_tokens ?? undefined,
      text: undefined,
      reasoning: usage.output_tokens_details?.thinking_tokens ?? undefined,
    },
  };
}

const finishReasons: Readonly<Record<string, LanguageModelV4FinishReason["unified"]>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  refusal: "content-filter",
};

function finishOf({ stop_reason: raw }: ClaudeEventOf<"result">): LanguageModelV4FinishReason {
  return { unified: finishReasons[raw ?? ""] ?? "other", raw: raw ?? undefined };
}
