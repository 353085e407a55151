import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClaudeTurn } from "../../../../components/sandbox/runtimes/claude-turn.ts";
import type { Turn } from "../../../../components/sandbox/runtimes/cli-runtime.ts";
import { CodexTurn } from "../../../../components/sandbox/runtimes/codex-turn.ts";
import type { RuntimeEvent } from "../../../../components/sandbox/runtimes/runtime.ts";

const conversation = "0e7f7b2c-59a5-4e3a-9d38-0f2a7b1c9d11";
const init = { type: "system", subtype: "init", session_id: conversation };
const thread = { type: "thread.started", thread_id: conversation };

function run<State>(make: (emit: (event: RuntimeEvent) => void) => Turn<State>, lines: readonly unknown[]) {
  const events: RuntimeEvent[] = [];
  const turn = make((event) => events.push(event));
  for (const line of lines) turn.take(line);
  return { turn, events };
}

const claude = (lines: readonly unknown[], costUsd?: number) =>
  run((emit) => new ClaudeTurn(emit, costUsd === undefined ? undefined : { conversation, costUsd }), lines);
const codex = (lines: readonly unknown[], before?: { inputTokens: number; outputTokens: number }) =>
  run((emit) => new CodexTurn(emit, before === undefined ? undefined : { thread: conversation, ...before }), lines);

const text = (content: string, id = "m1") => ({
  type: "assistant",
  message: { id, content: [{ type: "text", text: content }] },
});
const result = (fields: object) => ({ type: "result", subtype: "success", is_error: false, result: "ok", ...fields });
const stream = (event: object, parent: string | null = null) => ({
  type: "stream_event",
  parent_tool_use_id: parent,
  event,
});

describe("ClaudeTurn", () => {
  it("says what is streamed once, and what was not streamed too", () => {
    const { events } = claude([
      init,
      stream({ type: "message_start", message: { id: "m1" } }),
      stream({ type: "content_block_start", content_block: { type: "text" } }),
      stream({ type: "content_block_delta", delta: { type: "text_delta", text: "hel" } }),
      stream({ type: "content_block_delta", delta: { type: "text_delta", text: "lo" } }),
      text("hello"),
      text("not streamed", "m2"),
    ]);
    expect(events).toEqual([
      { type: "text", text: "hel" },
      { type: "text", text: "lo" },
      { type: "text", text: "\n\nnot streamed" },
    ]);
  });

  it("does not say what a subagent says", () => {
    const delta = { type: "content_block_delta", delta: { type: "text_delta", text: "to myself" } };
    const { events } = claude([init, stream(delta, "tool1"), { ...text("to myself"), parent_tool_use_id: "tool1" }]);
    expect(events).toEqual([]);
  });

  it("reports the cost of this prompt, also if the CLI lost its total", () => {
    const after = claude([init, result({ total_cost_usd: 5 })], 3);
    after.turn.close();
    expect(after.events).toEqual([{ type: "cost", usd: 2 }]);
    expect(after.turn.state).toEqual({ conversation, costUsd: 5 });
    const lost = claude([init, result({ total_cost_usd: 1 })], 3);
    lost.turn.close();
    expect(lost.events).toEqual([{ type: "cost", usd: 1 }]);
  });

  it("reports no negative cost, which would raise the session's limit", () => {
    const { turn, events } = claude([init, result({ total_cost_usd: -100 })], 3);
    turn.close();
    expect(events).toEqual([{ type: "cost", usd: 0 }]);
    expect(turn.state).toEqual({ conversation, costUsd: 0 });
  });

  it("reports what an aborted prompt used so far, and keeps the total for the next", () => {
    const { turn, events } = claude(
      [
        init,
        stream({
          type: "message_start",
          message: { id: "m1", usage: { input_tokens: 10, cache_read_input_tokens: 5 } },
        }),
        stream({ type: "message_delta", usage: { output_tokens: 7 } }),
      ],
      3,
    );
    turn.close();
    expect(events).toEqual([{ type: "usage", inputTokens: 15, outputTokens: 7 }]);
    expect(turn.state).toEqual({ conversation, costUsd: 3 });
  });

  it.each([
    [{ is_error: true, api_error_status: 401, result: "no" }, "missing_api_key", "ANTHROPIC_API_KEY"],
    [{ is_error: true, api_error_status: 403, result: "forbidden" }, "runtime_failed", "forbidden"],
    [
      { is_error: true, subtype: "error_max_budget_usd", result: undefined, errors: ["too much"] },
      "over_budget",
      "too much",
    ],
    [
      { is_error: true, subtype: "error_max_turns", result: undefined, errors: ["too long"] },
      "runtime_failed",
      "too long",
    ],
    [{ is_error: true, result: undefined }, "runtime_failed", "otherwise"],
  ])("throws a typed error: %j", (fields, code, message) => {
    const { turn } = claude([init, result(fields)]);
    expect(() => turn.answer("otherwise")).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it("is a failure without a result", () => {
    expect(() => claude([init, text("half")]).turn.answer("it was killed")).toThrow("it was killed");
  });

  it("is busy while a tool runs", () => {
    const call = { type: "tool_use", id: "t1", name: "Bash", input: { command: "ls" } };
    const { turn, events } = claude([init, { type: "assistant", message: { id: "m1", content: [call] } }]);
    expect(turn.isBusy).toBe(true);
    const block = { type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "a" }, { type: "image" }] };
    turn.take({ type: "user", message: { content: [block] } });
    expect(turn.isBusy).toBe(false);
    expect(events).toEqual([
      { type: "tool_call", id: "t1", name: "Bash", input: { command: "ls" } },
      { type: "tool_result", id: "t1", output: "a\n(not text)", isError: false },
    ]);
  });

  it("shortens a long output", () => {
    const block = { type: "tool_result", tool_use_id: "t1", content: "z".repeat(5_000_000) };
    const { events } = claude([{ type: "user", message: { content: [block] } }]);
    const [event] = events;
    expect(event?.type === "tool_result" && event.output.length).toBeLessThan(110_000);
  });
});

const item = (id: string, fields: object, type = "item.completed") => ({ type, item: { id, ...fields } });

describe("CodexTurn", () => {
  it("answers with the last message, and says all of them", () => {
    const { turn, events } = codex([
      thread,
      item("i0", { type: "agent_message", text: "first" }),
      item("i1", { type: "agent_message", text: "last" }),
      { type: "turn.completed", usage: { input_tokens: 5, output_tokens: 3 } },
    ]);
    turn.close();
    expect(turn.answer("")).toBe("last");
    expect(events).toEqual([
      { type: "text", text: "first" },
      { type: "text", text: "\n\nlast" },
      { type: "usage", inputTokens: 5, outputTokens: 3 },
    ]);
  });

  it("reports the usage of this prompt", () => {
    const lines = [thread, { type: "turn.completed", usage: { input_tokens: 50, output_tokens: 30 } }];
    const { turn, events } = codex(lines, { inputTokens: 40, outputTokens: 10 });
    turn.close();
    expect(events).toEqual([{ type: "usage", inputTokens: 10, outputTokens: 20 }]);
    expect(turn.state).toEqual({ thread: conversation, inputTokens: 50, outputTokens: 30 });
  });

  it("reports calls and results of every kind of tool, under ids that are new in each run", () => {
    const lines = [
      item("i0", { type: "command_execution", command: "ls", status: "in_progress" }, "item.started"),
      item("i0", { type: "command_execution", command: "ls", aggregated_output: "a", exit_code: 1, status: "failed" }),
      item("i1", { type: "file_change", changes: [{ path: "/a", kind: "add" }], status: "completed" }),
      item("i2", { type: "mcp_tool_call", server: "s", tool: "t", arguments: { a: 1 }, error: { message: "broken" } }),
      item("i3", { type: "web_search", query: "q" }),
    ];
    const { events } = codex([thread, ...lines]);
    expect(events).toMatchObject([
      { type: "tool_call", name: "shell", input: { command: "ls" } },
      { type: "tool_result", output: "a", isError: true },
      { type: "tool_call", name: "apply_patch" },
      { type: "tool_result", output: "add /a", isError: false },
      { type: "tool_call", name: "mcp__s__t", input: { a: 1 } },
      { type: "tool_result", output: "broken", isError: true },
      { type: "tool_call", name: "web_search", input: { query: "q" } },
      { type: "tool_result" },
    ]);
    const ids = (of: readonly RuntimeEvent[]) => of.flatMap((event) => (event.type === "tool_call" ? [event.id] : []));
    const again = ids(codex([thread, ...lines]).events);
    expect(ids(events).filter((id) => again.includes(id))).toEqual([]);
  });

  it("is missing_api_key as soon as a retry says 401, and no failure if a retry succeeds", () => {
    const rejected = codex([
      thread,
      { type: "error", message: "Reconnecting... 1/5 (unexpected status 401 Unauthorized)" },
    ]);
    expect(rejected.turn.fatal).toMatchObject({ code: "missing_api_key" });
    const retried = codex([
      thread,
      { type: "error", message: "Reconnecting... 1/5 (unexpected status 500)" },
      item("i0", { type: "agent_message", text: "ok" }),
      { type: "turn.completed" },
    ]);
    expect(retried.turn.fatal).toBeUndefined();
    expect(retried.turn.answer("")).toBe("ok");
  });

  it("fails with the API's own reason", () => {
    const message = JSON.stringify({ error: { message: "the model is unknown" } });
    const { turn } = codex([thread, { type: "turn.failed", error: { message } }]);
    expect(() => turn.answer("")).toThrow(
      expect.objectContaining({ code: "runtime_failed", message: "the model is unknown" }),
    );
  });
});

describe.each([
  ["ClaudeTurn", claude, ["system", "stream_event", "assistant", "user", "result"]],
  ["CodexTurn", codex, ["thread.started", "turn.completed", "turn.failed", "error", "item.started", "item.completed"]],
] as const)("%s", (_, turnOf, types) => {
  it("never throws on what a CLI of another version may print", () => {
    const line = fc.oneof(
      fc.jsonValue(),
      fc.record({
        type: fc.constantFrom<string>(...types, "new"),
        subtype: fc.constantFrom("init", "api_retry", "new"),
        message: fc.oneof(fc.jsonValue(), fc.record({ content: fc.jsonValue() })),
        event: fc.jsonValue(),
        item: fc.oneof(fc.jsonValue(), fc.record({ type: fc.constantFrom("agent_message", "error"), id: fc.string() })),
        usage: fc.jsonValue(),
        is_error: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { turn, events } = turnOf(lines);
        turn.close();
        expect(JSON.parse(JSON.stringify(events))).toEqual(events);
      }),
    );
  });
});
