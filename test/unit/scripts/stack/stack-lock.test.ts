import { expect, test, vi } from "vitest";
import { withStackLock } from "../../../../scripts/stack/stack-lock.ts";
import { useMachine } from "../../../support/setup.ts";

const machine = useMachine();

test("of two commands that change a stack, the second waits for the first; one that changes another stack does not", async () => {
  const stack = { name: "dev", backend: `file://${machine.home}/backend` };
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const events: string[] = [];
  const first = withStackLock(stack, async () => {
    await released;
    events.push("first");
  });
  // The same backend, in another spelling.
  const second = withStackLock({ ...stack, backend: "file://~/./backend/" }, async () => events.push("second"));
  await withStackLock({ ...stack, name: "prod" }, async () => events.push("other"));
  expect(process.stderr.write).toHaveBeenCalledWith(
    expect.stringMatching(/^Waiting for another command that changes this stack \(process \d+ on .+\) …\n$/),
  );
  release();
  await Promise.all([first, second]);
  expect(events).toEqual(["other", "first", "second"]);
});

test("a command changes a stack also with a cache that it may only read", async () => {
  vi.stubEnv("CHANGELINGS_CACHE", "/dev/null/cache");
  expect(await withStackLock({ name: "dev", backend: "file:///backend" }, async () => "done")).toBe("done");
});
