import * as z from "zod/mini";
import { claudeInput, claudeKeys, claudeTokens } from "../../models/claude-events.ts";
import { textBlock, textOf, toolResult, toolUse } from "./claude-turn.ts";
import type { Turn } from "./cli-runtime.ts";
import { RecentIds } from "./recent-ids.ts";
import { rejectedKey } from "./rejected-key.ts";
import { RuntimeError, type RuntimeEvent, runtimeErrorCodes } from "./runtime.ts";
import { Speech, shortened } from "./speech.ts";

export const mngrState = z.object({
  /** The agent's id in mngr. */
  agent: z.string().check(z.regex(/^agent-[0-9a-f]{32}$/)),
});
type State = z.output<typeof mngrState>;

/** The most messages of one prompt whose usage is counted. */
const maxMessages = 10_000;

const blocks = z.array(z.looseObject({ type: z.string() }));

/** A line of Claude Code's transcript, which mngr collects. */
const claudeRecord = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("user"),
    uuid: z.string(),
    timestamp: z.string(),
    isMeta: z.nullish(z.boolean()),
    isSidechain: z.nullish(z.boolean()),
    message: z.object({ content: z.union([z.string(), blocks]) }),
  }),
  z.object({
    type: z.literal("assistant"),
    uuid: z.string(),
    isSidechain: z.nullish(z.boolean()),
    isApiErrorMessage: z.nullish(z.boolean()),
    error: z.nullish(z.string()),
    message: z.object({
      id: z.optional(z.string().check(z.maxLength(200))),
      content: blocks,
      usage: z.catch(z.optional(claudeTokens), undefined),
    }),
  }),
]);
type ClaudeRecord = z.output<typeof claudeRecord>;

/** A line that `mngr-driver.mjs` prints. */
const line = z.discriminatedUnion("type", [
  z.object({ type: z.literal("agent"), agent: mngrState.shape.agent, at: z.string() }),
  z.object({ type: z.literal("claude"), record: claudeRecord }),
  z.object({ type: z.literal("answer"), text: z.string() }),
  z.object({ type: z.literal("failed"), code: z.enum(runtimeErrorCodes), reason: z.string() }),
  z.object({ type: z.literal("end") }),
]);

/** Parses the output of `mngr-driver.mjs` for one prompt. Ignores lines of unknown types. */
export class MngrTurn implements Turn<State> {
  readonly #emit: (event: RuntimeEvent) => void;
  readonly #speech: Speech;
  readonly #running = new RecentIds();
  readonly #usage = new Map<string, { inputTokens: number; outputTokens: number }>();
  /** When the driver began, as ISO 8601. */
  #began: string | undefined;
  /** mngr may collect a record twice. */
  readonly #seen = new RecentIds();
  /** Records of earlier prompts come first if their agent was killed. */
  #isOfPrompt = false;
  #answer: string | undefined;
  #hasEnded = false;
  #failure: RuntimeError | undefined;
  state: State | undefined;

  constructor(emit: (event: RuntimeEvent) => void) {
    this.#emit = emit;
    this.#speech = new Speech(emit);
  }

  take(value: unknown): void {
    const { success, data } = line.safeParse(value);
    if (!success) return;
    switch (data.type) {
      case "agent":
        this.#began = data.at;
        this.state = { agent: data.agent };
        break;
      case "claude":
        this.#record(data.record);
        break;
      case "answer":
        this.#say(data.text);
        break;
      case "failed":
        this.#failure ??= new RuntimeError(data.code, data.reason);
        break;
      case "end":
        this.#hasEnded = true;
    }
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** None: after an error the driver exits. */
  get fatal(): RuntimeError | undefined {
    return undefined;
  }

  close(): void {
    let [inputTokens, outputTokens] = [0, 0];
    for (const used of this.#usage.values()) {
      inputTokens += used.inputTokens;
      outputTokens += used.outputTokens;
    }
    if (inputTokens + outputTokens > 0) this.#emit({ type: "usage", inputTokens, outputTokens });
  }

  answer(otherwise: string): string {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#hasEnded) throw new RuntimeError("runtime_failed", otherwise);
    if (this.#answer === undefined) throw new RuntimeError("runtime_failed", "the agent gave no answer");
    return this.#answer;
  }

  #say(text: string): void {
    this.#speech.begin();
    this.#speech.say(text);
    this.#answer = text;
  }

  #record(record: ClaudeRecord): void {
    if (this.#seen.has(record.uuid)) return;
    this.#seen.add(record.uuid);
    const { content } = record.message;
    const results = typeof content === "string" ? [] : content.filter(({ type }) => type === "tool_result");
    if (record.type === "user" && results.length === 0) {
      const isPrompt = !record.isMeta && !record.isSidechain;
      this.#isOfPrompt ||= isPrompt && Date.parse(record.timestamp) >= Date.parse(this.#began ?? "");
      return;
    }
    if (!this.#isOfPrompt) return;
    if (record.type === "assistant") this.#assistant(record);
    for (const block of results) {
      const { success, data: result } = toolResult.safeParse(block);
      if (!success) continue;
      this.#running.delete(result.tool_use_id);
      const output = shortened(textOf(result.content));
      this.#emit({ type: "tool_result", id: result.tool_use_id, output, isError: result.is_error === true });
    }
  }

  #assistant({ message, isSidechain, isApiErrorMessage, error }: Extract<ClaudeRecord, { type: "assistant" }>): void {
    const { id = "", content, usage } = message;
    if (isApiErrorMessage) {
      const reason = textOf(content);
      const isKey = error === "authentication_failed" || /^Not logged in\b|Please run \/login/.test(reason);
      this.#failure = isKey ? rejectedKey(claudeKeys) : new RuntimeError("runtime_failed", reason);
      return;
    }
    // Each block of a message is a record of its own, with the usage of the whole message.
    if (usage !== undefined && (this.#usage.has(id) || this.#usage.size < maxMessages))
      this.#usage.set(id, { inputTokens: claudeInput(usage), outputTokens: usage.output_tokens ?? 0 });
    for (const block of content) {
      const text = textBlock.safeParse(block);
      // The text of a subagent goes to the agent, not to the person.
      if (text.success && !isSidechain) this.#say(text.data.text);
      const { success, data: call } = toolUse.safeParse(block);
      if (!success) continue;
      this.#running.add(call.id);
      this.#emit({ type: "tool_call", id: call.id, name: call.name, input: call.input ?? null });
    }
  }
}
