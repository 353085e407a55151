import * as z from "zod/mini";
import type { Turn } from "./cli-runtime.ts";
import { claudeKeys } from "./options.ts";
import { RuntimeError, type RuntimeEvent } from "./runtime.ts";
import { Speech, shortened } from "./speech.ts";

const tokens = z.object({
  input_tokens: z.nullish(z.number()),
  cache_creation_input_tokens: z.nullish(z.number()),
  cache_read_input_tokens: z.nullish(z.number()),
  output_tokens: z.nullish(z.number()),
});

const lines = z.discriminatedUnion("type", [
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
      message: z.optional(z.object({ id: z.optional(z.string()), usage: z.optional(tokens) })),
      usage: z.optional(tokens),
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
    errors: z.optional(z.array(z.string())),
    num_turns: z.optional(z.number()),
    total_cost_usd: z.optional(z.number()),
    api_error_status: z.nullish(z.number()),
    usage: z.catch(z.optional(tokens), undefined),
  }),
]);
type Line = z.output<typeof lines>;
type LineOf<Type extends Line["type"]> = Extract<Line, { type: Type }>;

const textBlock = z.object({ type: z.literal("text"), text: z.string() });
const toolUse = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.optional(z.unknown()),
});
const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.optional(z.unknown()),
  is_error: z.nullish(z.boolean()),
});

export const claudeState = z.object({
  /** Its session id in the CLI. */
  conversation: z.uuid(),
  /** Of the whole conversation, in US dollars. */
  costUsd: z.number(),
});
type State = z.output<typeof claudeState>;

/** One prompt, from the lines of `claude --output-format stream-json`. Lines of unknown types are ignored. */
export class ClaudeTurn implements Turn<State> {
  readonly #emit: (event: RuntimeEvent) => void;
  readonly #costBefore: number;
  readonly #speech: Speech;
  readonly #streamed = new Set<string>();
  readonly #running = new Set<string>();
  #used = { inputTokens: 0, outputTokens: 0 };
  #keyIsRejected = false;
  /** Also set for status 403, with which a key is valid. */
  #isNotLoggedIn = false;
  #result: LineOf<"result"> | undefined;
  state: State | undefined;

  constructor(emit: (event: RuntimeEvent) => void, resumed: State | undefined) {
    this.#emit = emit;
    this.#costBefore = resumed?.costUsd ?? 0;
    this.#speech = new Speech(emit);
  }

  take(value: unknown): void {
    const { success, data: line } = lines.safeParse(value);
    if (!success) return;
    switch (line.type) {
      case "system":
        this.#system(line);
        break;
      case "stream_event":
        this.#streamEvent(line);
        break;
      case "assistant":
        this.#assistant(line);
        break;
      case "user":
        this.#user(line);
        break;
      case "result":
        this.#result = line;
    }
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  get fatal(): RuntimeError | undefined {
    return this.#keyIsRejected ? rejectedKey() : undefined;
  }

  close(): void {
    const { usage, total_cost_usd: total } = this.#result ?? {};
    if (usage !== undefined) this.#used = { inputTokens: inputOf(usage), outputTokens: usage.output_tokens ?? 0 };
    if (this.#used.inputTokens + this.#used.outputTokens > 0) this.#emit({ type: "usage", ...this.#used });
    if (total === undefined || this.state === undefined) return;
    // The total of a resumed conversation includes earlier prompts. It is less only if the CLI lost its record of them.
    this.#emit({ type: "cost", usd: total >= this.#costBefore ? total - this.#costBefore : total });
    this.state = { ...this.state, costUsd: total };
  }

  answer(otherwise: string): string {
    const end = this.#result;
    const status = end?.api_error_status ?? (this.#isNotLoggedIn ? 401 : undefined);
    if (this.#keyIsRejected || status === 401) throw rejectedKey();
    if (end === undefined) throw new RuntimeError("runtime_failed", otherwise);
    if (!end.is_error) return end.result ?? "";
    const reason = end.result ?? end.errors?.join("; ") ?? otherwise;
    throw new RuntimeError(end.subtype === "error_max_budget_usd" ? "over_budget" : "runtime_failed", reason);
  }

  #system(line: LineOf<"system">): void {
    if (line.subtype === "init") {
      const { success, data } = claudeState.safeParse({ conversation: line.session_id, costUsd: this.#costBefore });
      if (success) this.state = data;
      for (const { name, status } of line.mcp_servers ?? [])
        if (status === "failed") this.#emit({ type: "notice", text: `the MCP server ${name} did not start` });
    }
    if (line.subtype === "api_retry") {
      // The CLI would retry for minutes with a key that the API rejects.
      if (line.error_status === 401) this.#keyIsRejected = true;
      const status = line.error_status ?? "no answer";
      const text = `the API failed (${status}, ${line.error ?? "unknown"}): retry ${line.attempt} of ${line.max_retries}`;
      this.#emit({ type: "notice", text });
    }
  }

  #streamEvent({ event, parent_tool_use_id }: LineOf<"stream_event">): void {
    // The text of a subagent goes to the agent, not to the person.
    if (parent_tool_use_id) return;
    if (event.type === "message_start") this.#used.inputTokens += inputOf(event.message?.usage ?? {});
    if (event.type === "message_delta") this.#used.outputTokens += event.usage?.output_tokens ?? 0;
    if (event.type === "message_start" && event.message?.id !== undefined) this.#streamed.add(event.message.id);
    if (event.type === "content_block_start" && event.content_block?.type === "text") this.#speech.begin();
    if (event.type === "content_block_delta" && event.delta?.type === "text_delta")
      this.#speech.say(event.delta.text ?? "");
  }

  #assistant({ message, error, parent_tool_use_id }: LineOf<"assistant">): void {
    if (error === "authentication_failed") this.#isNotLoggedIn = true;
    // Then its text describes the error.
    if (error) return;
    const isNew = !parent_tool_use_id && !this.#streamed.has(message.id ?? "");
    for (const block of message.content) {
      const text = textBlock.safeParse(block);
      if (text.success && isNew) {
        this.#speech.begin();
        this.#speech.say(text.data.text);
      }
      const { success, data: call } = toolUse.safeParse(block);
      if (!success) continue;
      this.#running.add(call.id);
      this.#emit({ type: "tool_call", id: call.id, name: call.name, input: call.input ?? null });
    }
  }

  #user({ message }: LineOf<"user">): void {
    if (typeof message.content === "string") return;
    for (const block of message.content) {
      const { success, data: result } = toolResult.safeParse(block);
      if (!success) continue;
      this.#running.delete(result.tool_use_id);
      const output = shortened(textOf(result.content));
      this.#emit({ type: "tool_result", id: result.tool_use_id, output, isError: result.is_error === true });
    }
  }
}

function inputOf(usage: z.output<typeof tokens>): number {
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage;
  return (input_tokens ?? 0) + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0);
}

function rejectedKey(): RuntimeError {
  return new RuntimeError(
    "missing_api_key",
    `the API rejects the key: set ${claudeKeys.join(" or ")} to a valid one, and send the prompt again`,
  );
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block: unknown) => {
      const text = textBlock.safeParse(block);
      return text.success ? text.data.text : "(not text)";
    })
    .join("\n");
}
