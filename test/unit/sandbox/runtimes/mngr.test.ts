import { describe, expect, it } from "vitest";
import { sandboxDiagnostics } from "../../../../components/sandbox/checks.ts";
import { sandboxTable } from "../../../../components/sandbox/options.ts";
import { typed } from "../../../../components/sandbox/runtimes/mngr.ts";
import { MngrTurn } from "../../../../components/sandbox/runtimes/mngr-turn.ts";
import { checkRuntime, secretsOfRuntime } from "../../../../components/sandbox/runtimes/registry.ts";
import type { RuntimeEvent } from "../../../../components/sandbox/runtimes/runtime.ts";

const agent = `agent-${"0a".repeat(16)}`;
const began = { type: "agent", agent, at: "2026-11-30T10:00:00.000Z" };
let serial = 0;

function claude(record: { readonly type: "user" | "assistant" } & Record<string, unknown>) {
  serial += 1;
  return { type: "claude", record: { uuid: `u${serial}`, timestamp: "2026-11-30T10:00:03.000Z", ...record } };
}
const said = (text: string, id: string, more: object = {}) =>
  claude({
    type: "assistant",
    message: { id, content: [{ type: "text", text }], usage: { input_tokens: 10, output_tokens: 5 } },
    ...more,
  });
const prompt = (timestamp = "2026-11-30T10:00:02.000Z") =>
  claude({ type: "user", timestamp, message: { content: "hello" } });

function run(lines: readonly unknown[]) {
  const events: RuntimeEvent[] = [];
  const turn = new MngrTurn((event) => events.push(event));
  for (const line of lines) turn.take(line);
  turn.close();
  return { turn, events, answer: () => turn.answer("it broke") };
}

describe("MngrTurn", () => {
  it("says what the agent says, and reports its tools and its usage", () => {
    const call = { type: "tool_use", id: "t1", name: "Bash", input: { command: "ls" } };
    const { events, answer, turn } = run([
      began,
      prompt(),
      said("I look", "m1"),
      claude({
        type: "assistant",
        message: { id: "m1", content: [call], usage: { input_tokens: 10, output_tokens: 5 } },
      }),
      claude({
        type: "user",
        message: { content: [{ type: "tool_result", tool_use_id: "t1", content: "README.md" }] },
      }),
      said("done", "m2"),
      { type: "end" },
    ]);
    expect(events).toEqual([
      { type: "text", text: "I look" },
      { type: "tool_call", id: "t1", name: "Bash", input: { command: "ls" } },
      { type: "tool_result", id: "t1", output: "README.md", isError: false },
      { type: "text", text: "\n\ndone" },
      { type: "usage", inputTokens: 20, outputTokens: 10 },
    ]);
    expect(answer()).toBe("done");
    expect(turn.state).toEqual({ agent });
  });

  it("ignores what an earlier prompt left, and records that arrive twice", () => {
    const twice = said("new", "m2");
    const { events } = run([
      began,
      prompt("2026-11-30T09:00:00.000Z"),
      said("old", "m1"),
      claude({ type: "user", isMeta: true, message: { content: "Continue." } }),
      said("No response requested.", "m9"),
      prompt(),
      ...[twice, twice],
      { type: "end" },
    ]);
    expect(events[0]).toEqual({ type: "text", text: "new" });
    expect(events.filter(({ type }) => type === "text")).toHaveLength(1);
  });

  it("is busy while a tool runs, and leaves out what a subagent says", () => {
    const call = { type: "tool_use", id: "t1", name: "Task", input: {} };
    const { turn, events } = run([
      began,
      prompt(),
      claude({ type: "assistant", message: { content: [call] } }),
      said("to the agent", "m3", { isSidechain: true }),
    ]);
    expect(turn.isBusy).toBe(true);
    expect(events.map(({ type }) => type)).toEqual(["tool_call", "usage"]);
  });

  it.each([
    ["an error of the API", said("API Error: 400 bad", "m1", { isApiErrorMessage: true }), "runtime_failed", "400 bad"],
    [
      "a key that the API rejects",
      said("Please run /login · API Error: 401", "m1", { isApiErrorMessage: true }),
      "missing_api_key",
      "rejects the key",
    ],
    [
      "what the driver reports",
      { type: "failed", code: "runtime_failed", reason: "mngr create failed" },
      "runtime_failed",
      "mngr create failed",
    ],
    ["no answer", { type: "none" }, "runtime_failed", "gave no answer"],
  ])("fails with %s", (_, line, code, message) => {
    const { answer } = run([began, prompt(), line, { type: "end" }]);
    expect(answer).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it("fails with the reason of an end without a word", () => {
    expect(run([began]).answer).toThrow("it broke");
  });
});

describe("a prompt", () => {
  it.each([
    ["hello\nthere", "hello\nthere"],
    ["été", "été"],
    ["/compact", "Prompt:\n/compact"],
    ["  !ls", "Prompt:\n!ls"],
    ["?", "Prompt:\n?"],
    ["@/etc/passwd", "Prompt:\n@/etc/passwd"],
    ["a\tb\r\nc\rd", "a    b\nc\nd"],
    ["a\u001b[201~b\u0003\u009bc", "a[201~bc"],
    ["line \\", "line \\ "],
  ])("%j is typed as text", (text, expected) => {
    expect(typed(text)).toBe(expected);
  });
});

describe("runtime = mngr", () => {
  const place = (...path: (string | number)[]) => ["changelings", "app", ...path];
  const found = (options: object) =>
    sandboxDiagnostics(
      sandboxTable.parse({ repo: "https://github.com/me/app", runtime: "mngr", provider: "local", ...options }),
      place,
    ).map(({ path, message }) => `${path.slice(2).join(".")}: ${message}`);

  it("is for sandboxes of this machine that are isolated", () => {
    expect(found({})).toEqual([]);
    for (const provider of ["docker", "modal"])
      expect(found({ provider })).toEqual([expect.stringMatching(/^runtime: .*only for provider = "local"/)]);
    expect(found({ isolation: "none" })).toEqual([expect.stringMatching(/^runtime: .*needs isolation = "sandbox"/)]);
    expect(found({ isolation: "none", runtime: "stub" })).toEqual([]);
  });

  it.each([
    [{ agent_type: "fixme-fairy" }, []],
    [{ agent_type: "command", agent_args: ["./answer.sh"] }, []],
    [{ agent_type: "clod" }, ['agent_type: mngr knows no agent type "clod"']],
    [{ agent_type: "command" }, ["agent_type: a command agent needs its command"]],
    [{ agent_type: "headless_claude" }, [expect.stringContaining("agent_type: ")]],
    [{ settle: 1 }, [expect.stringContaining("settle")]],
  ])("checks its runtime_config: %j", (config, expected) => {
    const diagnostics = checkRuntime("mngr", config, ["runtime"], ["runtime_config"]);
    expect(diagnostics.map(({ path, message }) => `${path.slice(1).join(".")}: ${message}`)).toEqual(expected);
  });

  it("needs the key of Claude Code only if it runs Claude Code", () => {
    expect(secretsOfRuntime("mngr", {})).toContain("ANTHROPIC_API_KEY");
    expect(secretsOfRuntime("mngr", { agent_type: "code-guardian" })).toContain("ANTHROPIC_API_KEY");
    expect(secretsOfRuntime("mngr", { agent_type: "command", agent_args: ["cat"] })).toEqual([]);
  });
});
