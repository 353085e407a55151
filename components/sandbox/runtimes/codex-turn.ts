import { randomUUID } from "node:crypto";
import * as z from "zod/mini";
import type { Turn } from "./cli-runtime.ts";
import { codexKeys } from "./options.ts";
import { RuntimeError, type RuntimeEvent } from "./runtime.ts";
import { Speech, shortened } from "./speech.ts";

const tokens = z.object({ input_tokens: z.number(), output_tokens: z.number() });

const lines = z.discriminatedUnion("type", [
  z.object({ type: z.literal("thread.started"), thread_id: z.uuid() }),
  z.object({ type: z.literal("turn.completed"), usage: z.catch(z.optional(tokens), undefined) }),
  z.object({ type: z.literal("turn.failed"), error: z.object({ message: z.string() }) }),
  z.object({ type: z.literal("error"), message: z.string() }),
  z.object({ type: z.enum(["item.started", "item.updated", "item.completed"]), item: z.optional(z.unknown()) }),
]);

const items = z.discriminatedUnion("type", [
  z.object({ type: z.literal("agent_message"), id: z.string(), text: z.string() }),
  z.object({ type: z.literal("error"), id: z.string(), message: z.string() }),
  z.object({
    type: z.literal("command_execution"),
    id: z.string(),
    command: z.string(),
    aggregated_output: z._default(z.string(), ""),
    exit_code: z.nullish(z.number()),
    status: z.optional(z.string()),
  }),
  z.object({
    type: z.literal("file_change"),
    id: z.string(),
    changes: z.array(z.looseObject({ path: z.string(), kind: z.optional(z.unknown()) })),
    status: z.optional(z.string()),
  }),
  z.object({
    type: z.literal("mcp_tool_call"),
    id: z.string(),
    server: z.string(),
    tool: z.string(),
    arguments: z.optional(z.unknown()),
    result: z.optional(z.unknown()),
    error: z.nullish(z.object({ message: z.string() })),
    status: z.optional(z.string()),
  }),
  z.object({ type: z.literal("web_search"), id: z.string(), query: z._default(z.string(), "") }),
]);
type Item = z.output<typeof items>;
type ToolItem = Exclude<Item, { type: "agent_message" | "error" }>;

export const codexState = z.object({
  thread: z.uuid(),
  /** Of the whole thread. */
  inputTokens: z.number(),
  outputTokens: z.number(),
});
type State = z.output<typeof codexState>;

/** One prompt, from the lines of `codex exec --json`. Lines and items of unknown types are ignored. */
export class CodexTurn implements Turn<State> {
  readonly #emit: (event: RuntimeEvent) => void;
  readonly #before: Pick<State, "inputTokens" | "outputTokens">;
  readonly #speech: Speech;
  /** The CLI numbers its items anew in each run. */
  readonly #prefix = randomUUID().slice(0, 8);
  readonly #started = new Set<string>();
  readonly #running = new Set<string>();
  #keyIsRejected = false;
  #failure: string | undefined;
  #usage: z.output<typeof tokens> | undefined;
  #isComplete = false;
  #answer = "";
  state: State | undefined;

  constructor(emit: (event: RuntimeEvent) => void, resumed: State | undefined) {
    this.#emit = emit;
    this.#before = resumed ?? { inputTokens: 0, outputTokens: 0 };
    this.#speech = new Speech(emit);
  }

  take(value: unknown): void {
    const { success, data: line } = lines.safeParse(value);
    if (!success) return;
    switch (line.type) {
      case "thread.started":
        this.state = { thread: line.thread_id, ...counts(this.#before) };
        break;
      case "turn.completed":
        this.#isComplete = true;
        this.#usage = line.usage;
        break;
      case "turn.failed":
        this.#fail(line.error.message);
        break;
      case "error":
        // Also reported for each retry, so it need not be the end.
        this.#fail(line.message);
        this.#emit({ type: "notice", text: line.message });
        break;
      default: {
        const item = items.safeParse(line.item);
        if (item.success) this.#item(item.data, line.type === "item.completed");
      }
    }
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  get fatal(): RuntimeError | undefined {
    return this.#keyIsRejected ? rejectedKey() : undefined;
  }

  close(): void {
    if (this.#usage === undefined || this.state === undefined) return;
    const { input_tokens: inputTokens, output_tokens: outputTokens } = this.#usage;
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
    if (this.#keyIsRejected) throw rejectedKey();
    if (this.#isComplete) return this.#answer;
    throw new RuntimeError("runtime_failed", this.#failure ?? otherwise);
  }

  #fail(message: string): void {
    this.#failure = reasonIn(message);
    if (/unexpected status 401\b/.test(message)) this.#keyIsRejected = true;
  }

  #item(item: Item, isCompleted: boolean): void {
    if (item.type === "agent_message") {
      if (!isCompleted) return;
      // A command that goes on in the background is not waited for.
      this.#running.clear();
      this.#answer = item.text;
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

const apiError = z.object({ error: z.object({ message: z.string() }) });

/** The CLI passes some of the API's errors on as they are, in JSON. */
function reasonIn(message: string): string {
  try {
    return apiError.parse(JSON.parse(message)).error.message;
  } catch {
    return message;
  }
}

function rejectedKey(): RuntimeError {
  return new RuntimeError(
    "missing_api_key",
    `the API rejects the key: set ${codexKeys.join(" or ")} to a valid one, and send the prompt again`,
  );
}
