import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startOf } from "../../components/sandbox/sessions/runner/process-identity.ts";
import { endOrphanedWorkerd, Workerd } from "../../components/sandbox/sessions/runner/workerd.ts";
import { kill } from "../support/session-lab.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "workerd-"));
});
afterEach(async () => {
  await endOrphanedWorkerd(folder);
  rmSync(folder, { recursive: true, force: true });
});

it("leaves no process if it is stopped while it is being restarted", { timeout: 60_000 }, async () => {
  const pids: number[] = [];
  const stopped = Promise.withResolvers<void>();
  const workerd = new Workerd({
    ...{ folder, token: "token", config: { runnerPort: 9, runnerSecret: "secret", ownerHash: "hash" } },
    log(line) {
      if (line.endsWith("it is started again")) workerd.stop().then(stopped.resolve, stopped.reject);
    },
    onReady: ({ workerd: { pid } = { pid: 0 } }) => pids.push(pid),
  });
  await workerd.start();
  kill(pids[0] ?? 0);
  await stopped.promise;
  // Long enough for a restart.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(pids.map(startOf)).toEqual([undefined]);
  await workerd.stop();
});
