import * as z from "zod/mini";
import type { CliFailure } from "./failure.ts";

/** The environment variables that can contain the key, by descending precedence. */
export const claudeKeys = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"] as const;

/** The tokens of one message. */
export const claudeTokens = z.object({
  input_tokens: z.nullish(z.number()),
  cache_creation_input_tokens: z.nullish(z.number()),
  cache_read_input_tokens: z.nullish(z.number()),
  output_tokens: z.nullish(z.number()),
  output_tokens_details: z.catch(z.nullish(z.object({ thinking_tokens: z.nullish(z.number()) })), undefined),
});
export type ClaudeTokens = z.output<typeof claudeTokens>;

/** The events that `claude --print` prints: with `--output-format json` only the `result`, with `stream-json` one a line. */
const events = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("system"),
    subtype: z.string(),
    session_id: z.optional(z.string()),
    mcp_servers: z.catch(z.optional(z.array(z.object({ name: z.string(), status: z.string() }))), undefined),
    attempt: z.optional(z.number()),
    max_retries: z.optional(z.number()),
    error_status: z.nullish(z.number()),
    error: z.nullish(z.string()),
  }),
  z.object({
    type: z.literal("stream_event"),
    parent_tool_use_id: z.nullish(z.string()),
    event: z.object({
      type: z.string(),
      message: z.optional(z.object({ id: z.optional(z.string()), usage: z.optional(claudeTokens) })),
      usage: z.optional(claudeTokens),
      content_block: z.optional(z.object({ type: z.string() })),
      delta: z.optional(z.object({ type: z.optional(z.string()), text: z.optional(z.string()) })),
    }),
  }),
  z.object({
    type: z.literal("assistant"),
    parent_tool_use_id: z.nullish(z.string()),
    error: z.nullish(z.string()),
    message: z.object({ id: z.optional(z.string()), content: z.array(z.looseObject({ type: z.string() })) }),
  }),
  z.object({
    type: z.literal("user"),
    message: z.object({ content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]) }),
  }),
  z.object({
    type: z.literal("result"),
    subtype: z.string(),
    is_error: z.boolean(),
    result: z.optional(z.string()),
    structured_output: z.optional(z.unknown()),
    errors: z.optional(z.array(z.string())),
    num_turns: z.optional(z.number()),
    stop_reason: z.nullish(z.string()),
    session_id: z.optional(z.string()),
    total_cost_usd: z.optional(z.number()),
    api_error_status: z.nullish(z.number()),
    usage: z.catch(z.optional(claudeTokens), undefined),
  }),
]);
export type ClaudeEvent = z.output<typeof events>;
export type ClaudeEventOf<Type extends ClaudeEvent["type"]> = Extract<ClaudeEvent, { type: Type }>;

/** @returns undefined if the value is not an event, or of an unknown type */
export function claudeEvent(value: unknown): ClaudeEvent | undefined {
  const { success, data } = events.safeParse(value);
  return success ? data : undefined;
}

/** Decides by its events whether a run succeeded: neither the exit code nor `subtype` says so. */
export class ClaudeRun {
  #result: ClaudeEventOf<"result"> | undefined;
  #keyIsRejected = false;
  /** Also true after status 403, for which a key can be valid. */
  #isNotLoggedIn = false;

  take(event: ClaudeEvent): void {
    if (event.type === "result") this.#result = event;
    if (event.type === "assistant" && event.error === "authentication_failed") this.#isNotLoggedIn = true;
    // The CLI would retry for minutes with a key that the API rejects.
    if (event.type === "system" && event.subtype === "api_retry" && event.error_status === 401)
      this.#keyIsRejected = true;
  }

  get result(): ClaudeEventOf<"result"> | undefined {
    return this.#result;
  }

  /** Whether the API rejects the key, so that waiting for the CLI's end is pointless. */
  get keyIsRejected(): boolean {
    return this.#keyIsRejected;
  }

  /** @param otherwise the reason if the CLI gave none @returns undefined if the run succeeded */
  failure(otherwise: string): CliFailure | undefined {
    const end = this.#result;
    if (this.#keyIsRejected) return { code: "missing_api_key", status: 401, reason: end?.result ?? otherwise };
    if (end?.is_error === false) return undefined;
    const status = end?.api_error_status ?? undefined;
    const reason = end?.result ?? end?.errors?.join("; ") ?? otherwise;
    // Without a credential it makes no request, so there is no status. With `json`, only these words show it.
    const isWithoutKey = status === undefined && (this.#isNotLoggedIn || /^Not logged in\b/.test(end?.result ?? ""));
    if (status === 401 || isWithoutKey) return { code: "missing_api_key", status, reason };
    return { code: end?.subtype === "error_max_budget_usd" ? "over_budget" : "failed", status, reason };
  }
}

/** All input tokens, cached or not. */
export function claudeInput(usage: ClaudeTokens): number {
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage;
  return (input_tokens ?? 0) + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0);
}
