import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Version } from "../../components/seed-agent/program/domain.ts";
import type { Check } from "../../components/seed-agent/program/hot-reload/checking.ts";
import {
  compile,
  findFence,
  firstVersion,
  versionHosts,
} from "../../components/seed-agent/program/hot-reload/index.ts";
import { modelOf } from "../../components/seed-agent/program/improve/model.ts";
import { improver } from "../../components/seed-agent/program/improve/model-improver.ts";
import { seedPipeline } from "../../components/seed-agent/program/pipeline/seed-pipeline.ts";
import { readSettings } from "../../components/seed-agent/program/settings.ts";
import { openStore } from "../../components/seed-agent/program/store/open.ts";
import type { Store } from "../../components/seed-agent/program/store/store.ts";
import { ModelLab, modelKey } from "../support/model-lab.ts";
import { aRequest, given, limits } from "../support/seed-agent/versions.ts";
import { silentEvents } from "../support/seed-live.ts";

const lab = new ModelLab("claude");
let folder: string;
let store: Store;
const ending: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "seed-improve-"));
  store = await openStore({ folder });
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  await store.close();
  rmSync(folder, { recursive: true });
  await expect.poll(() => lab.processes()).toEqual([]);
});

/** Compiles only. */
const check: Check = async ({ sources }) => {
  const compiled = await compile(sources);
  const diagnostics = "built" in compiled ? [] : [...compiled.diagnostics];
  const outcome = diagnostics.length === 0 ? ("passed" as const) : ("failed" as const);
  const step = { name: "compile" as const, outcome, milliseconds: 1, summary: "it was compiled", diagnostics };
  const report = { passed: outcome === "passed", steps: [step], fence: "none", milliseconds: 1 };
  return "built" in compiled ? { report, built: compiled.built } : { report };
};

/** An agent with the real CLI as its model; the fake API answers as the goal file says. */
async function agentOf(goal: string, more: Readonly<Record<string, string | undefined>> = {}) {
  const goalFile = join(folder, "goal.md");
  writeFileSync(goalFile, goal);
  const { PATH, HOME, TMPDIR, ...named } = lab.env(more);
  const read = readSettings({ ...named, SEED_DATA_DIR: folder, SEED_GOAL_FILE: goalFile, SEED_MODE: "auto" });
  if ("errors" in read) throw new Error(read.errors.join("\n"));
  const first = await firstVersion();
  const missing: string[] = [];
  const events = { ...silentEvents(), missingApiKey: (provider: string) => void missing.push(provider) };
  const pipeline = seedPipeline({
    ...{ node: "n1", store, events, check, limits, testMilliseconds: 10_000, probationSeconds: 1, keepVersions: 5 },
    codeStore: { active: () => "v0", lastGood: () => "v0", prune: async () => undefined },
    isAutomatic: () => true,
    firstVersion: async () => first,
    rollOut: async () => ({ outcome: "active", nodes: ["n1"] }),
  });
  pipeline.start();
  const active = async (): Promise<Version> => {
    const id = await store.activeVersion();
    return (id === undefined ? undefined : await store.version(id)) ?? first;
  };
  const agent = improver({
    ...{ node: "n1", settings: read.settings, store, pipeline, events, active },
    fence: { name: "bubblewrap" },
    model: modelOf(read.settings, { PATH, HOME, TMPDIR }),
    live: { signals: () => [] },
    plan: async () => undefined,
  });
  ending.push(
    () => pipeline.stop(),
    () => agent.stop(),
  );
  return { agent, active, missing };
}

const handle = `import type { Handle } from "seed";

const handle: Handle = async (request) => ({ status: 200, body: \`Good day! You asked for \${request.path}.\\n\` });

export default handle;
`;
const answer = {
  summary: "Greet, as the goal asks for",
  answers: "same",
  files: [
    { path: "handle.ts", content: handle },
    { path: "handle.test.ts", content: null },
  ],
};

describe("a seed agent with the real Claude Code CLI as its model", () => {
  it("improves itself: the answer becomes a version, which runs", async () => {
    const goal = `Be polite.\n\n@@tool StructuredOutput ${JSON.stringify(answer)}\n@@say done\n`;
    const { agent, active } = await agentOf(goal);
    const { outcome, change, reason } = await agent.improveNow(undefined, "owner");
    expect({ outcome, reason }).toMatchObject({ outcome: "submitted" });
    await expect.poll(async () => (await store.change(change?.id ?? ""))?.state).toBe("active");
    const improved = await active();
    expect(improved).toMatchObject({ id: "v1", parent: "v0", author: "model:sonnet", summary: answer.summary });
    expect(change?.costUsd).toBeGreaterThan(0);
    expect(await agent.budget()).toMatchObject({ changesToday: 1, usdToday: change?.costUsd });

    const host = await versionHosts(await findFence("auto"))(improved, limits);
    ending.push(() => host.end());
    const { response } = await host.handle(aRequest({ path: "/tea" }), given());
    expect(response).toMatchObject({ status: 200, body: "Good day! You asked for /tea.\n" });

    const log = JSON.stringify(await store.auditLog({ limit: 100 }));
    expect(log).toContain(change?.promptHash);
    expect(log).toContain("+const handle: Handle = async (request)");
    expect(log).not.toContain(modelKey);
    expect(lab.body).toContain("declare module");
  });

  it("repairs what does not compile, once", async () => {
    const broken = { ...answer, files: [{ path: "handle.ts", content: "export default (" }] };
    // Both rounds get the same answer.
    const goal = `Be polite.\n\n@@tool StructuredOutput ${JSON.stringify(broken)}\n@@say done\n`;
    const { agent } = await agentOf(goal);
    const { change, reason } = await agent.improveNow(undefined, "owner");
    expect(change).toMatchObject({ id: "c2", state: "rejected" });
    expect(reason).toContain("the repaired answer failed too: compile");
    expect(lab.body).toContain("Your change was rejected");
    expect(lab.body).toContain("handle.ts:1");
  });

  it("escalates missing_api_key, without a login and with one that the API rejects", async () => {
    for (const [env, goal] of [
      [{ ANTHROPIC_API_KEY: undefined }, "Be polite."],
      [{}, "@@fail 401"],
    ] as const) {
      const { agent, missing } = await agentOf(goal, env);
      expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "missing_api_key" });
      expect(missing).toEqual(["claude"]);
      expect(agent.lastProblem()).toContain("missing_api_key");
    }
    const entries = (await store.auditLog({ limit: 100 })).filter(({ action }) => action === "missing_api_key");
    expect(entries).toHaveLength(1);
  });
});
