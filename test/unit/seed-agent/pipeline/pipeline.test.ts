import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RolloutResult } from "../../../../components/seed-agent/program/cluster/cluster.ts";
import type { Change, Report, Submission } from "../../../../components/seed-agent/program/domain.ts";
import type { Check } from "../../../../components/seed-agent/program/hot-reload/checking.ts";
import { Conflict, NotFound } from "../../../../components/seed-agent/program/pipeline/pipeline.ts";
import { seedPipeline } from "../../../../components/seed-agent/program/pipeline/seed-pipeline.ts";
import { openStore } from "../../../../components/seed-agent/program/store/open.ts";
import type { Store } from "../../../../components/seed-agent/program/store/store.ts";
import { silentEvents, versionOf } from "../../../support/seed-live.ts";

let folder: string;
let store: Store;
const ending: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "seed-pipeline-"));
  store = await openStore({ folder });
});

afterEach(async () => {
  for (const end of ending.splice(0)) await end();
  await store.close();
  rmSync(folder, { recursive: true });
});

const passed: Report = { passed: true, steps: [], fence: "bubblewrap", milliseconds: 1 };
const failed: Report = {
  ...passed,
  passed: false,
  steps: [{ name: "types", outcome: "failed", milliseconds: 1, summary: "1 error", diagnostics: [] }],
};

interface Lab {
  readonly check?: Check;
  readonly rollOut?: (version: string, former: string) => Promise<RolloutResult>;
  readonly isAutomatic?: boolean;
  readonly node?: string;
}

function pipelineOf({ check, rollOut, isAutomatic = false, node = "n1" }: Lab = {}) {
  const rolledOut: string[] = [];
  const pipeline = seedPipeline({
    ...{ node, store, events: silentEvents(), testMilliseconds: 1000, probationSeconds: 1, keepVersions: 5 },
    codeStore: { active: () => "v0", lastGood: () => "v0", prune: async () => undefined },
    check: check ?? (async ({ sources }) => ({ report: passed, built: { hash: JSON.stringify(sources), bundle: "" } })),
    limits: { memoryMb: 256, callMilliseconds: 1000, startMilliseconds: 1000 },
    isAutomatic: () => isAutomatic,
    firstVersion: async () => ({ ...versionOf("v0"), sources: { "handle.ts": "first" } }),
    async rollOut(version, former) {
      rolledOut.push(`${former} → ${version}`);
      return (await rollOut?.(version, former)) ?? { outcome: "active", nodes: [node] };
    },
  });
  ending.push(() => pipeline.stop());
  return { pipeline, rolledOut };
}

const submission = (text: string, more: Partial<Submission> = {}): Submission => ({
  ...{ files: { "handle.ts": text }, summary: `Say ${text}`, answers: "same" },
  ...more,
});
const byOwner = { author: "owner", activation: "by a person" } as const;
const byModel = { author: "model:sonnet", activation: "by itself", promptHash: "abc", costUsd: 0.01 } as const;

async function becomes(id: string, state: Change["state"]): Promise<Change> {
  await expect.poll(async () => (await store.change(id))?.state).toBe(state);
  const change = await store.change(id);
  if (change === undefined) throw new Error(`${id} is gone`);
  return change;
}

const actions = async () =>
  (await store.auditLog({ limit: 100 })).map(({ actor, action }) => `${actor} ${action}`).toReversed();

describe("a change", () => {
  test("is checked, waits for a person, is rolled out and active", async () => {
    const { pipeline, rolledOut } = pipelineOf();
    pipeline.start();
    const { id } = await pipeline.submit(submission("hello"), byOwner);
    expect(await becomes(id, "waiting")).toMatchObject({ version: "v1", report: passed });
    expect(rolledOut).toEqual([]);
    await pipeline.approve(id, "owner", "good");
    expect(await becomes(id, "active")).toMatchObject({ approvedBy: "owner", version: "v1" });
    expect(await store.activeVersion()).toBe("v1");
    expect((await store.version("v1"))?.sources).toEqual({ "handle.ts": "hello" });
    expect(rolledOut).toEqual(["v0 → v1"]);
    expect(await actions()).toEqual(["owner submitted", "system checked", "owner approved", "system activated"]);
  });

  test("that fails its checks is rejected, with the step that failed", async () => {
    const { pipeline } = pipelineOf({ check: async () => ({ report: failed }) });
    pipeline.start();
    const { id } = await pipeline.submit(submission("hello"), byOwner);
    expect(await becomes(id, "rejected")).toMatchObject({ reason: "types: 1 error", report: failed });
    expect(await store.versions(10)).toEqual([]);
  });

  test("whose roll-out fails is rolled back", async () => {
    const { pipeline } = pipelineOf({
      rollOut: async () => ({ outcome: "rolled-back", node: "n2", reason: "it is slow" }),
    });
    pipeline.start();
    const { id } = await pipeline.submit(submission("hello"), byOwner);
    await becomes(id, "waiting");
    await pipeline.approve(id, "owner");
    expect(await becomes(id, "rolled-back")).toMatchObject({ reason: "it is slow (on n2)" });
    expect((await store.activeVersion()) ?? "v0").toBe("v0");
  });

  test("without an effect, or against another version, is a conflict", async () => {
    const { pipeline } = pipelineOf();
    await expect(pipeline.submit(submission("first"), byOwner)).rejects.toThrow(Conflict);
    await expect(pipeline.submit(submission("new", { base: "v7" }), byOwner)).rejects.toThrow("v0 is active");
  });

  test("that was overtaken by another is rejected, and nothing of it is rolled out", async () => {
    const { pipeline, rolledOut } = pipelineOf();
    const one = await pipeline.submit(submission("one"), byOwner);
    const other = await pipeline.submit(submission("other"), byOwner);
    pipeline.start();
    await becomes(one.id, "waiting");
    await becomes(other.id, "waiting");
    await pipeline.approve(one.id, "owner");
    await becomes(one.id, "active");
    await pipeline.approve(other.id, "owner");
    expect((await becomes(other.id, "rejected")).reason).toContain("v1 was activated meanwhile");
    expect(rolledOut).toHaveLength(1);
  });

  test("can be rejected by a person, and then not approved", async () => {
    const { pipeline } = pipelineOf();
    pipeline.start();
    const { id } = await pipeline.submit(submission("hello"), byOwner);
    await becomes(id, "waiting");
    await pipeline.reject(id, "owner", "no need");
    await expect(pipeline.approve(id, "owner")).rejects.toThrow("only a change that is waiting can be approved");
    await expect(pipeline.approve("c99", "owner")).rejects.toThrow(NotFound);
  });

  test("shows its diff", async () => {
    const { pipeline } = pipelineOf();
    const files = { "handle.ts": "second", "lib/new.ts": "new" };
    const { id } = await pipeline.submit(submission("", { files, summary: "Second" }), byOwner);
    const diff = await pipeline.diff(id);
    expect(diff).toContain("--- a/handle.ts\n+++ b/handle.ts\n@@ -1,1 +1,1 @@\n-first\n");
    expect(diff).toContain("--- /dev/null\n+++ b/lib/new.ts\n");
  });
});

describe("a model's change", () => {
  test("is activated by itself in mode auto", async () => {
    const { pipeline } = pipelineOf({ isAutomatic: true });
    pipeline.start();
    const { id } = await pipeline.submit(submission("hello"), byModel);
    expect(await becomes(id, "active")).toMatchObject({ approvedBy: "system", costUsd: 0.01, promptHash: "abc" });
  });

  test("needs a person if its answers may differ, or if the node may not activate changes itself", async () => {
    const automatic = pipelineOf({ isAutomatic: true });
    automatic.pipeline.start();
    const { id } = await automatic.pipeline.submit(submission("a", { answers: "may differ" }), byModel);
    await becomes(id, "waiting");
    await automatic.pipeline.stop();
    const careful = pipelineOf({ isAutomatic: false });
    careful.pipeline.start();
    const other = await careful.pipeline.submit(submission("b"), byModel);
    await becomes(other.id, "waiting");
  });
});

test("a version can be activated again, and the active one rolled back, as changes without checks", async () => {
  const { pipeline, rolledOut } = pipelineOf();
  pipeline.start();
  for (const text of ["one", "two"]) {
    const { id } = await pipeline.submit(submission(text), byOwner);
    await becomes(id, "waiting");
    await pipeline.approve(id, "owner");
    await becomes(id, "active");
  }
  await becomes((await pipeline.rollBack("owner", "two is wrong")).id, "active");
  expect(await store.activeVersion()).toBe("v1");
  await becomes((await pipeline.activateVersion("v2", "owner")).id, "active");
  await becomes((await pipeline.activateVersion("v0", "owner")).id, "active");
  expect(rolledOut).toEqual(["v0 → v1", "v1 → v2", "v2 → v1", "v1 → v2", "v2 → v0"]);
  await expect(pipeline.activateVersion("v9", "owner")).rejects.toThrow(NotFound);
  await expect(pipeline.rollBack("owner")).rejects.toThrow("there is no version before v0");
});

test("nothing is begun while the queue is paused", async () => {
  const { pipeline } = pipelineOf();
  await pipeline.pause("owner");
  pipeline.start();
  const { id } = await pipeline.submit(submission("hello"), byOwner);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await store.change(id))?.state).toBe("queued");
  await pipeline.resume("owner");
  await becomes(id, "waiting");
  expect(await actions()).toContain("owner paused");
});

test("a pause is written although another node's resume overtakes it", async () => {
  const { pipeline } = pipelineOf();
  const { setSetting } = store;
  let isOvertaken = true;
  vi.spyOn(store, "setSetting").mockImplementation(async (name, value, expected) => {
    if (isOvertaken) await setSetting(name, "false", expected);
    isOvertaken = false;
    return await setSetting(name, value, expected);
  });
  await pipeline.pause("owner");
  expect(await store.setting("paused")).toBe("true");
  expect(await actions()).toEqual(["owner paused"]);
});

test("a check that throws is repeated, and then given up with the reason", async () => {
  let calls = 0;
  const { pipeline } = pipelineOf({
    check: async () => {
      calls += 1;
      throw new Error("no space left on device");
    },
  });
  pipeline.start();
  const { id } = await pipeline.submit(submission("hello"), byOwner);
  expect(await becomes(id, "failed")).toMatchObject({ reason: "given up after 5 attempts: no space left on device" });
  expect(calls).toBe(5);
});

test("a change that a worker left is finished by the next", async () => {
  let calls = 0;
  const interrupted = pipelineOf({
    rollOut: async () => {
      calls += 1;
      return { outcome: "interrupted", reason: "the leadership was lost" };
    },
  });
  interrupted.pipeline.start();
  const { id } = await interrupted.pipeline.submit(submission("hello"), byOwner);
  await becomes(id, "waiting");
  await interrupted.pipeline.approve(id, "owner");
  await expect.poll(() => calls).toBeGreaterThan(0);
  await interrupted.pipeline.stop();
  expect((await store.change(id))?.state).toBe("rolling-out");
  const next = pipelineOf();
  next.pipeline.start();
  await becomes(id, "active");
  expect(next.rolledOut).toEqual(["v0 → v1"]);
});
