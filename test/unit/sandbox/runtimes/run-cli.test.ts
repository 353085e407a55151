import { expect, it } from "vitest";
import type { ExecOptions, Sandbox } from "../../../../components/sandbox/provider.ts";
import { ClaudeTurn } from "../../../../components/sandbox/runtimes/claude-turn.ts";
import { reasonOf, runInSandbox } from "../../../../components/sandbox/runtimes/run-cli.ts";
import type { RuntimeEvent } from "../../../../components/sandbox/runtimes/runtime.ts";
import { Redactor } from "../../../../components/sandbox/sessions/runner/redact.ts";
import { RunLog } from "../../../../components/sandbox/sessions/runner/run-log.ts";

/** A sandbox whose programs print this line and run until they are ended. */
function printing(line: string): Sandbox {
  return {
    id: "sandbox",
    async exec(_argv, { onOutput, signal }: ExecOptions) {
      // As from a stream: what it throws is caught nowhere.
      setImmediate(() => onOutput?.(`${line}\n`, "stdout"));
      await new Promise<void>((resolve) => {
        if (signal?.aborted) resolve();
        else signal?.addEventListener("abort", () => resolve());
      });
      return { code: 130, stdout: "", stderr: "" };
    },
    snapshot: async () => "",
    terminate: async () => {},
  };
}

it("ends a CLI that prints JSON too deeply nested to be logged, and reports that", async () => {
  const log = new RunLog(new Redactor([]));
  const turn = new ClaudeTurn((event: RuntimeEvent) => event.type !== "state" && log.add(event), undefined);
  const depth = 100_000;
  const input = `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const block = `{"type":"tool_use","id":"t","name":"Bash","input":${input}}`;
  const line = `{"type":"assistant","message":{"id":"m","content":[${block}]}}`;
  const run = runInSandbox(printing(line), {
    ...{ name: "claude", argv: [], env: {}, cwd: "/", stdin: "", timeoutSeconds: 30, idleTimeoutSeconds: 30 },
    onValue: (value) => turn.take(value),
    isBusy: () => false,
    fatal: () => undefined,
  });
  await expect(run).rejects.toMatchObject({
    code: "runtime_failed",
    message: expect.stringMatching(/^claude printed what can't be processed/),
  });
});

it("redacts the environment's values in a reason, and keeps it to one plain line", () => {
  const key = "sk-ant-0123456789";
  const text = `\u001b[31mthe key ${key} is bad\u001b[0m\nalso in base64: ${Buffer.from(key).toString("base64")}`;
  const reason = reasonOf(text, { ANTHROPIC_API_KEY: key, LANG: "C" });
  expect(reason).toMatch(/^the key \*\*\* is bad also in base64: \*\*\*=?$/);
});

it("keeps the start and the end of a long reason", () => {
  const reason = reasonOf(`begin ${"x".repeat(100_000)} end`, {});
  expect(reason.length).toBeLessThan(1100);
  expect(reason).toMatch(/^begin .* … .* end$/);
});
