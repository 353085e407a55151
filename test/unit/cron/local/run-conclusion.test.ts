import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunContext } from "../../../../components/cron/local/runs/context.ts";
import { performRun } from "../../../../components/cron/local/runs/perform.ts";
import { type RunPlan, runFiles } from "../../../../components/cron/local/runs/plan.ts";
import type { RecordedRun } from "../../../../components/cron/run-records.ts";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { type InstallationPaths, installationPaths } from "../../../../components/host/installation-paths.ts";
import { secretsPath } from "../../../../components/secrets/installed.ts";

let home: string;
let paths: InstallationPaths;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "conclusion-"));
  paths = installationPaths("test", home);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it("an agent whose conversation can't be saved is stopped", async () => {
  const id = "a-2026-11-21-05-00-00";
  const agentId = `agent-${"0".repeat(32)}`;
  const spec = { name: "a", repo: home, branch: "main", fetch: false, settleSeconds: 5, timeoutSeconds: 120 };
  const agent = { isConversational: true, args: [] };
  // Nothing else of these is used.
  const plan = { id, agentId, spec: { ...spec, agent } } as unknown as RunPlan;
  const recorded = { id, agentId, createdAt: new Date().toISOString() } as RecordedRun;
  const mngr = { transcript: async () => "It says hunter2.", stop: vi.fn(async () => {}) };
  const log: string[] = [];
  const context = {
    paths,
    env: {},
    log: (event: string) => log.push(event),
    mngr: () => mngr,
    poll: { listen: () => () => {} },
  } as unknown as RunContext;
  writePrivateFile(secretsPath(paths, "a"), "damaged");
  const lines = await performRun(plan, recorded, context, AbortSignal.abort("it was removed"));
  expect(mngr.stop.mock.calls).toEqual([[agentId]]);
  expect(lines).toMatchObject([{ event: "ended", id, outcome: "failed" }]);
  // Without the secrets, they can't be redacted from it.
  expect(existsSync(runFiles(paths, "a", id).output)).toBe(false);
  expect(log.join("\n")).toContain("its conversation could not be saved");
});
