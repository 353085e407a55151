import * as z from "zod/mini";
import { type ClaudeEventOf, ClaudeRun, claudeEvent, claudeInput, claudeKeys } from "../../models/claude-events.ts";
import type { Turn } from "./cli-runtime.ts";
import { RecentIds } from "./recent-ids.ts";
import { rejectedKey } from "./rejected-key.ts";
import { RuntimeError, type RuntimeEvent } from "./runtime.ts";
import { Speech, shortened } from "./speech.ts";

export const textBlock = z.object({ type: z.literal("text"), text: z.string() });
export const toolUse = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.optional(z.unknown()),
});
export const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.optional(z.unknown()),
  is_error: z.nullish(z.boolean()),
});

export const claudeState = z.object({
  /** Its session id in the CLI. */
  conversation: z.uuid(),
  /** The cost of the whole conversation in US dollars. */
  costUsd: z.number(),
});
type State = z.output<typeof claudeState>;

/** Parses the output of `claude --output-format stream-json` for one prompt. Ignores lines of unknown types. */
export class ClaudeTurn implements Turn<State> {
  readonly #emit: (event: RuntimeEvent) => void;
  readonly #costBefore: number;
  readonly #speech: Speech;
  readonly #streamed = new RecentIds();
  readonly #running = new RecentIds();
  #used = { inputTokens: 0, outputTokens: 0 };
  readonly #run = new ClaudeRun();
  state: State | undefined;

  constructor(emit: (event: RuntimeEvent) => void, resumed: State | undefined) {
    this.#emit = emit;
    this.#costBefore = resumed?.costUsd ?? 0;
    this.#speech = new Speech(emit);
  }

  take(value: unknown): void {
    const event = claudeEvent(value);
    if (event === undefined) return;
    this.#run.take(event);
    switch (event.type) {
      case "system":
        this.#system(event);
        break;
      case "stream_event":
        this.#streamEvent(event);
        break;
      case "assistant":
        this.#assistant(event);
        break;
      case "user":
        this.#user(event);
    }
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  get fatal(): RuntimeError | undefined {
    return this.#run.keyIsRejected ? rejectedKey(claudeKeys) : undefined;
  }

  close(): void {
    const { usage, total_cost_usd: total } = this.#run.result ?? {};
    if (usage !== undefined) this.#used = { inputTokens: claudeInput(usage), outputTokens: usage.output_tokens ?? 0 };
    if (this.#used.inputTokens + this.#used.outputTokens > 0) this.#emit({ type: "usage", ...this.#used });
    if (total === undefined || this.state === undefined) return;
    // The total of a resumed conversation includes earlier prompts. It is less only if the CLI lost its record of them.
    const usd = total >= this.#costBefore ? total - this.#costBefore : total;
    // A negative cost would raise the session's limit.
    this.#emit({ type: "cost", usd: Math.max(0, usd) });
    this.state = { ...this.state, costUsd: Math.max(0, total) };
  }

  answer(otherwise: string): string {
    const failure = this.#run.failure(otherwise);
    if (failure === undefined) return this.#run.result?.result ?? "";
    if (failure.code === "missing_api_key") throw rejectedKey(claudeKeys);
    throw new RuntimeError(failure.code === "over_budget" ? "over_budget" : "runtime_failed", failure.reason);
  }

  #system(line: ClaudeEventOf<"system">): void {
    if (line.subtype === "init") {
      const { success, data } = claudeState.safeParse({ conversation: line.session_id, costUsd: this.#costBefore });
      if (success) this.state = data;
      for (const { name, status } of line.mcp_servers ?? [])
        if (status === "failed") this.#emit({ type: "notice", text: `the MCP server ${name} did not start` });
    }
    if (line.subtype === "api_retry") {
      const status = line.error_status ?? "no answer";
      const text = `the API failed (${status}, ${line.error ?? "unknown"}): retry ${line.attempt} of ${line.max_retries}`;
      this.#emit({ type: "notice", text });
    }
  }

  #streamEvent({ event, parent_tool_use_id }: ClaudeEventOf<"stream_event">): void {
    // The text of a subagent goes to the agent, not to the person.
    if (parent_tool_use_id) return;
    if (event.type === "message_start") this.#used.inputTokens += claudeInput(event.message?.usage ?? {});
    if (event.type === "message_delta") this.#used.outputTokens += event.usage?.output_tokens ?? 0;
    if (event.type === "message_start" && event.message?.id !== undefined) this.#streamed.add(event.message.id);
    if (event.type === "content_block_start" && event.content_block?.type === "text") this.#speech.begin();
    if (event.type === "content_block_delta" && event.delta?.type === "text_delta")
      this.#speech.say(event.delta.text ?? "");
  }

  #assistant({ message, error, parent_tool_use_id }: ClaudeEventOf<"assistant">): void {
    // The text then describes the error.
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

  #user({ message }: ClaudeEventOf<"user">): void {
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

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block: unknown) => {
      const text = textBlock.safeParse(block);
      return text.success ? text.data.text : "(not text)";
    })
    .join("\n");
}
