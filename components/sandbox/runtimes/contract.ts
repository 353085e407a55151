import assert from "node:assert/strict";
import {
  type AgentRuntime,
  type RuntimeConfig,
  type RuntimeContext,
  RuntimeError,
  type RuntimeErrorCode,
  type RuntimeEvent,
  type RuntimeFactory,
  runtimeErrorCodes,
} from "./runtime.ts";

/** The runtime under test, and prompts for it. */
export interface RuntimeSubject {
  readonly create: RuntimeFactory;
  /** A configuration with a live sandbox that has a repository at `repoPath`. */
  config(): Promise<RuntimeConfig>;
  /** A prompt that it answers. */
  readonly prompt: string;
  /** Whether its answer contains the prompt, so that the suite can check that prompts arrive unchanged. */
  readonly echoes: boolean;
  /** A prompt that takes longer than 30 seconds unless it is cancelled; undefined if the runtime answers everything at once. */
  readonly slowPrompt?: string;
  /** A prompt that fails with `runtime_failed`. */
  readonly failingPrompt?: string;
  /** Ends the sandbox of a configuration, if the runtime uses it. */
  readonly endSandbox?: (config: RuntimeConfig) => Promise<void>;
}

export interface RuntimeCheck {
  readonly name: string;
  /** @throws AssertionError */
  run(subject: RuntimeSubject): Promise<void>;
}

/**
 * What every runtime must do. It depends on no test framework:
 *
 *     for (const { name, run } of runtimeContract) it(name, () => run(subject));
 */
export const runtimeContract: readonly RuntimeCheck[] = [
  check(
    "answers prompts one after the other, in events of plain data, and another instance continues",
    async (subject) => {
      const { runtime, config } = await initialized(subject);
      const answers = [await answered(runtime, subject), await answered(runtime, subject)];
      const [first = 0, second = 0] = answers.map((events) =>
        events.reduce((sum, event) => (event.type === "usage" ? sum + event.outputTokens : sum), 0),
      );
      assert.ok(second <= 1.5 * first, "usage is that of one prompt, not of the session");
      const state = answers[1]?.findLast((event) => event.type === "state")?.state;
      await runtime.terminate();
      const later = subject.create();
      await later.initialize({ ...config, state });
      const resumed = await answered(later, subject);
      assert.ok(!resumed.some(({ type }) => type === "notice"), "there is nothing to notice about a resumed session");
    },
  ),
  check("takes every prompt as text", async (subject) => {
    const { runtime } = await initialized(subject);
    for (const text of awkward) {
      const { answer } = await execute(runtime, text);
      if (subject.echoes) assert.ok(answer.includes(text.trim()), `the answer repeats ${JSON.stringify(text)}`);
    }
  }),
  check("cancels a prompt, does not execute one that is cancelled already, and stays usable", async (subject) => {
    const { runtime } = await initialized(subject);
    await rejects("cancelled", runtime.execute(subject.prompt, context, { signal: AbortSignal.abort() }));
    if (subject.slowPrompt !== undefined) {
      const controller = new AbortController();
      const running = runtime.execute(subject.slowPrompt, context, { signal: controller.signal });
      setTimeout(() => controller.abort(), 1500);
      await rejects("cancelled", running);
    }
    assert.notEqual((await execute(runtime, subject.prompt)).answer, "");
  }),
  check("ends a prompt at its timeout, and stays usable", async (subject) => {
    if (subject.slowPrompt === undefined) return;
    const { runtime } = await initialized(subject);
    await rejects("timeout", runtime.execute(subject.slowPrompt, context, { timeoutSeconds: 2 }));
    assert.notEqual((await execute(runtime, subject.prompt)).answer, "");
  }),
  check("refuses or queues a second prompt while one is executed", async (subject) => {
    const { runtime } = await initialized(subject);
    const both = [execute(runtime, subject.prompt), execute(runtime, subject.prompt)];
    const [first, second] = await Promise.allSettled(both);
    assert.equal(first?.status, "fulfilled");
    if (second?.status === "rejected") assert.ok(second.reason instanceof RuntimeError);
    assert.notEqual((await execute(runtime, subject.prompt)).answer, "");
  }),
  check("starts anew with the state of something else", async (subject) => {
    const runtime = subject.create();
    await runtime.initialize({ ...(await subject.config()), state: { of: ["another", "runtime"] } });
    assert.notEqual((await execute(runtime, subject.prompt)).answer, "");
  }),
  check("fails with a typed error without secrets, and stays usable", async (subject) => {
    if (subject.failingPrompt === undefined) return;
    const { runtime, config } = await initialized(subject);
    const error = await rejects("runtime_failed", runtime.execute(subject.failingPrompt, context));
    for (const secret of Object.values(config.env).filter((value) => value.length >= 8))
      assert.ok(!error.message.includes(secret), "the error contains no value of the environment");
    assert.notEqual((await execute(runtime, subject.prompt)).answer, "");
  }),
  check("says that the sandbox is gone, and terminates all the same", async (subject) => {
    if (subject.endSandbox === undefined) return;
    const { runtime, config } = await initialized(subject);
    await subject.endSandbox(config);
    await rejects("sandbox_gone", runtime.execute(subject.prompt, context));
    await runtime.terminate();
  }),
  check("terminates twice", async (subject) => {
    const { runtime } = await initialized(subject);
    await runtime.terminate();
    await runtime.terminate();
  }),
];

/** Prompts that a shell or an agent's command line could misread as commands or options. */
const awkward = [
  "/compact",
  "  /help me",
  "@/etc/hostname and @AGENTS.md",
  "--help",
  "!ls",
  `#remember it's "quoted" \`id\` $(id) $HOME \\n %s\nnaïve 日本語 🙂`,
];

const context: RuntimeContext = {
  repo: "owner/repo",
  branch: "main",
  sessionId: "contract",
  memoryPath: "/root/.mcp-memory/memory.jsonl",
};

function check(name: string, run: (subject: RuntimeSubject) => Promise<void>): RuntimeCheck {
  return { name, run };
}

async function initialized(subject: RuntimeSubject): Promise<{ runtime: AgentRuntime; config: RuntimeConfig }> {
  const runtime = subject.create();
  const config = await subject.config();
  await runtime.initialize(config);
  return { runtime, config };
}

async function execute(runtime: AgentRuntime, prompt: string): Promise<{ answer: string; events: RuntimeEvent[] }> {
  const events: RuntimeEvent[] = [];
  const answer = await runtime.execute(prompt, context, { onEvent: (event) => events.push(event) });
  return { answer, events };
}

/** Checks an answer and its events. @returns the events */
async function answered(runtime: AgentRuntime, { prompt }: RuntimeSubject): Promise<readonly RuntimeEvent[]> {
  const { answer, events } = await execute(runtime, prompt);
  assert.notEqual(answer, "");
  assert.ok(said(events).endsWith(answer), "the concatenated text events end with the answer");
  assert.deepEqual(JSON.parse(JSON.stringify(events)), events, "events survive JSON");
  const calls = new Set(events.flatMap((event) => (event.type === "tool_call" ? [event.id] : [])));
  for (const event of events) {
    if (event.type === "tool_result") assert.ok(calls.has(event.id), "a result follows its call");
    if (event.type === "usage") assert.ok(event.inputTokens >= 0 && event.outputTokens >= 0);
    if (event.type === "cost") assert.ok(event.usd >= 0);
  }
  return events;
}

function said(events: readonly RuntimeEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

async function rejects(code: RuntimeErrorCode, execution: Promise<string>): Promise<RuntimeError> {
  const error: unknown = await execution.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RuntimeError, `expected a RuntimeError, found ${String(error)}`);
  assert.ok(runtimeErrorCodes.includes(error.code));
  assert.equal(error.code, code, error.message);
  return error;
}
