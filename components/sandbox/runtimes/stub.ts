import { type AgentRuntime, type ExecuteOptions, type RuntimeContext, RuntimeError } from "./runtime.ts";

/** Answers without an agent, so that everything else can be tried without an account (spec 004). */
export class StubRuntime implements AgentRuntime {
  async initialize(): Promise<void> {}

  async execute(prompt: string, { repo, branch }: RuntimeContext, options: ExecuteOptions = {}): Promise<string> {
    if (options.signal?.aborted) throw new RuntimeError("cancelled", "the prompt was cancelled");
    const answer = [
      "[STUB RESPONSE]",
      `Received prompt: ${prompt}`,
      `Context: repo=${repo}, branch=${branch}`,
      "Would execute task here once real agent runtime is plugged in.",
    ].join("\n");
    options.onEvent?.({ type: "text", text: answer });
    return answer;
  }

  async terminate(): Promise<void> {}
}

export default (): AgentRuntime => new StubRuntime();
