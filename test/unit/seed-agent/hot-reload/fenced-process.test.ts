import { getPriority } from "node:os";
import { expect, test } from "vitest";
import { startFencedProcess } from "../../../../components/seed-agent/program/hot-reload/fenced-process.ts";

test("a process that can't be started leaves the service's own priority alone", async () => {
  const before = getPriority();
  const fence = { name: "bubblewrap", bubblewrap: "/nonexistent/bwrap" } as const;
  const started = startFencedProcess({ fence, program: "", memoryMb: 64, isBackground: true, onLine: () => {} });
  expect((await started.ended).reason).toMatch(/^it could not be started: .*ENOENT/);
  expect(getPriority()).toBe(before);
});
