import { randomUUID } from "node:crypto";
import * as z from "zod/mini";
import { type CodexItem, CodexRun, codexEvent, codexItem, codexKeys } from "../../models/codex-events.ts";
import type { Turn } from "./cli-runtime.ts";
import { RecentIds } from "./recent-ids.ts";
import { rejectedKey } from "./rejected-key.ts";
import { RuntimeError, type RuntimeEvent } from "./runtime.ts";
import { Speech, shortened } from "./speech.ts";

type ToolItem = Exclude<CodexItem, { type: "agent_message" | "error" }>;

export const codexState = z.object({
  thread: z.uuid(),
  /** Of the whole thread. */
  inputTokens: z.number(),
  outputTokens: z.number(),
});
type State = z.output<typeof codexState>;

/** Parses the output of `codex exec --json` for one prompt. Ignores lines and items of unknown types. */
export class CodexTurn implements Turn<State> {
  readonly #emit: (event: RuntimeEvent) => void;
  readonly #before: Pick<State, "inputTokens" | "outputTokens">;
  readonly #speech: Speech;
  /** The CLI numbers its items from 0 in each run. */
  readonly #prefix = randomUUID().slice(0, 8);
  readonly #started = new RecentIds();
  readonly #running = new RecentIds();
  readonly #run = new CodexRun();
  state: State | undefined;

  constructor(emit: (event: RuntimeEvent) => void, resumed: State | undefined) {
    this.#emit = emit;
    this.#before = resumed ?? { inputTokens: 0, outputTokens: 0 };
    this.#speech = new Speech(emit);
  }

  take(value: unknown): void {
    const event = codexEvent(value);
    if (event === undefined) return;
    this.#run.take(event);
    if (event.type === "thread.started") this.state = { thread: event.thread_id, ...counts(this.#before) };
    if (event.type === "error") this.#emit({ type: "notice", text: event.message });
    const item = codexItem(event);
    if (item !== undefined) this.#item(item, event.type === "item.completed");
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  get fatal(): RuntimeError | undefined {
    return this.#run.keyIsRejected ? rejectedKey(codexKeys) : undefined;
  }

  close(): void {
    const { usage } = this.#run;
    if (usage === undefined || this.state === undefined) return;
    const { input_tokens: inputTokens, output_tokens: outputTokens } = usage;
    const { inputTokens: before } = this.#before;
    // A resumed thread's usage includes earlier prompts. It is less only if the CLI lost its record of them.
    const earlier = inputTokens >= before ? this.#before : { inputTokens: 0, outputTokens: 0 };
    this.#emit({
      type: "usage",
      inputTokens: inputTokens - earlier.inputTokens,
      outputTokens: Math.max(0, outputTokens - earlier.outputTokens),
    });
    this.state = { ...this.state, inputTokens, outputTokens };
  }

  answer(otherwise: string): string {
    const failure = this.#run.failure(otherwise);
    if (failure === undefined) return this.#run.answer;
    throw failure.code === "missing_api_key"
      ? rejectedKey(codexKeys)
      : new RuntimeError("runtime_failed", failure.reason);
  }

  #item(item: CodexItem, isCompleted: boolean): void {
    if (item.type === "agent_message") {
      if (!isCompleted) return;
      // A command that still runs in the background doesn't count.
      this.#running.clear();
      this.#speech.begin();
      this.#speech.say(item.text);
    } else if (item.type === "error") {
      if (isCompleted) this.#emit({ type: "notice", text: item.message });
    } else this.#tool(item, isCompleted);
  }

  #tool(item: ToolItem, isCompleted: boolean): void {
    const id = `${this.#prefix}-${item.id}`;
    if (!this.#started.has(id)) {
      this.#started.add(id);
      this.#running.add(id);
      this.#emit({ type: "tool_call", id, ...callOf(item) });
    }
    if (!isCompleted) return;
    this.#running.delete(id);
    this.#emit({ type: "tool_result", id, ...resultOf(item) });
  }
}

function counts({ inputTokens, outputTokens }: Pick<State, "inputTokens" | "outputTokens">) {
  return { inputTokens, outputTokens };
}

function callOf(item: ToolItem): { name: string; input: unknown } {
  switch (item.type) {
    case "command_execution":
      return { name: "shell", input: { command: item.command } };
    case "file_change":
      return { name: "apply_patch", input: { changes: item.changes } };
    case "mcp_tool_call":
      return { name: `mcp__${item.server}__${item.tool}`, input: item.arguments ?? null };
    case "web_search":
      return { name: "web_search", input: { query: item.query } };
  }
}

const texts = z.object({ content: z.array(z.looseObject({ type: z.string(), text: z.optional(z.string()) })) });

function resultOf(item: ToolItem): { output: string; isError: boolean } {
  if (item.type === "web_search") return { output: "", isError: false };
  const isError = item.status === "failed";
  if (item.type === "command_execution") return { output: shortened(item.aggregated_output), isError };
  if (item.type === "file_change")
    return { output: item.changes.map(({ path, kind }) => `${describedKind(kind)} ${path}`).join("\n"), isError };
  const { success, data } = texts.safeParse(item.result);
  const output = success ? data.content.map(({ text }) => text ?? "(not text)").join("\n") : "";
  return { output: shortened(item.error?.message ?? output), isError: isError || Boolean(item.error) };
}

function describedKind(kind: unknown): string {
  return typeof kind === "string" ? kind : "change";
}
