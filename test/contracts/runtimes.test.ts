import { describe, it } from "vitest";
import { ClaudeCliRuntime } from "../../components/sandbox/runtimes/claude.ts";
import { CodexCliRuntime } from "../../components/sandbox/runtimes/codex.ts";
import { type RuntimeSubject, runtimeContract } from "../../components/sandbox/runtimes/contract.ts";
import { StubRuntime } from "../../components/sandbox/runtimes/stub.ts";
import { type CliName, RuntimeLab } from "../support/runtime-lab.ts";

/** With the real CLIs, and fakes of their APIs. */
describe.each(["claude", "codex"] as const)("the contract of runtimes: %s", (name: CliName) => {
  const lab = new RuntimeLab(name);
  const subject: RuntimeSubject = {
    create: () => (name === "claude" ? new ClaudeCliRuntime() : new CodexCliRuntime()),
    config: async () => lab.config(lab.sandbox()),
    prompt: "hello",
    echoes: true,
    slowPrompt: "@@hang",
    failingPrompt: "@@fail 400",
    endSandbox: ({ sandbox }) => sandbox.terminate(),
  };
  for (const { name: check, run } of runtimeContract) it(check, () => run(subject));
});

describe("the contract of runtimes: stub", () => {
  const lab = new RuntimeLab("claude");
  const subject: RuntimeSubject = {
    create: () => new StubRuntime(),
    config: async () => lab.config(lab.sandbox()),
    prompt: "hello",
    echoes: true,
  };
  for (const { name, run } of runtimeContract) it(name, () => run(subject));
});
