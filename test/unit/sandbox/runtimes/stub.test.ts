import { expect, it } from "vitest";
import type { RuntimeEvent } from "../../../../components/sandbox/runtimes/runtime.ts";
import { StubRuntime } from "../../../../components/sandbox/runtimes/stub.ts";

const context = { repo: "owner/repo", branch: "main", sessionId: "s1", memoryPath: "/root/.mcp-memory/memory.jsonl" };

it("answers as spec 004 says", async () => {
  const events: RuntimeEvent[] = [];
  const answer = await new StubRuntime().execute("List files in repository", context, {
    onEvent: (event) => events.push(event),
  });
  expect(answer).toBe(
    "[STUB RESPONSE]\nReceived prompt: List files in repository\nContext: repo=owner/repo, branch=main\nWould execute task here once real agent runtime is plugged in.",
  );
  expect(events).toEqual([{ type: "text", text: answer }]);
});

it("rejects a cancelled prompt", async () => {
  const cancelled = new StubRuntime().execute("hello", context, { signal: AbortSignal.abort() });
  await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
});
