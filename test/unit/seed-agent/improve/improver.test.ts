import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { APICallError, type LanguageModelV4CallOptions, LoadAPIKeyError } from "@ai-sdk/provider";
import { MockLanguageModelV4 } from "ai/test";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Report, Sources } from "../../../../components/seed-agent/program/domain.ts";
import type { Check } from "../../../../components/seed-agent/program/hot-reload/checking.ts";
import type { ImproverParts } from "../../../../components/seed-agent/program/improve/improver.ts";
import { improver } from "../../../../components/seed-agent/program/improve/model-improver.ts";
import type { Signal } from "../../../../components/seed-agent/program/live/live.ts";
import { seedPipeline } from "../../../../components/seed-agent/program/pipeline/seed-pipeline.ts";
import { readSettings } from "../../../../components/seed-agent/program/settings.ts";
import { openStore } from "../../../../components/seed-agent/program/store/open.ts";
import type { Store } from "../../../../components/seed-agent/program/store/store.ts";
import { silentEvents, versionOf } from "../../../support/seed-live.ts";

let folder: string;
let store: Store;
const ending: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "seed-improve-"));
  store = await openStore({ folder });
});
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
  await store.close();
  rmSync(folder, { recursive: true });
});

const passed: Report = { passed: true, steps: [], fence: "bubblewrap", milliseconds: 1 };
const rejected: Report = {
  ...passed,
  passed: false,
  steps: [
    {
      ...{ name: "types", outcome: "failed", milliseconds: 1, summary: "1 error" },
      diagnostics: [{ file: "handle.ts", line: 3, message: "no such name" }],
    },
  ],
};
const fails: Signal = { kind: "error", summary: "GET /b threw", count: 3 };

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
type Reply = string | Error | ((options: LanguageModelV4CallOptions) => Promise<string>);

/** Answers in turn; the last one again and again. Each answer costs 0.1 dollars. */
function modelOf(...replies: readonly Reply[]): MockLanguageModelV4 {
  let count = 0;
  return new MockLanguageModelV4({
    provider: "claude-cli",
    modelId: "sonnet",
    async doGenerate(options) {
      const reply = replies[Math.min(count, replies.length - 1)] ?? "";
      count += 1;
      if (reply instanceof Error) throw reply;
      const text = typeof reply === "string" ? reply : await reply(options);
      return {
        ...{ content: [{ type: "text", text }], usage, warnings: [] },
        finishReason: { unified: "stop", raw: undefined },
        providerMetadata: { claudeCli: { costUsd: 0.1 } },
      };
    },
  });
}

const answer = (text: string, more: object = {}) =>
  JSON.stringify({
    summary: `Say ${text}`,
    answers: "same",
    files: [{ path: "handle.ts", content: text }],
    ...more,
  });

interface Lab {
  readonly environment?: Readonly<Record<string, string>>;
  readonly signals?: readonly Signal[];
  readonly sources?: Sources;
  readonly plan?: ImproverParts["plan"];
  readonly fence?: ImproverParts["fence"];
  readonly check?: Check;
  readonly node?: string;
}

function labOf(model: MockLanguageModelV4, lab: Lab = {}) {
  const { environment = {}, signals = [fails], node = "n1", fence = { name: "bubblewrap" } } = lab;
  const read = readSettings({ SEED_DATA_DIR: folder, ...environment });
  if ("errors" in read) throw new Error(read.errors.join("\n"));
  const missing: string[] = [];
  const events = { ...silentEvents(), missingApiKey: (provider: string) => void missing.push(provider) };
  const first = { ...versionOf("v0"), sources: lab.sources ?? { "handle.ts": "first" } };
  const pipeline = seedPipeline({
    ...{ node, store, events, testMilliseconds: 1000, probationSeconds: 1, keepVersions: 5 },
    codeStore: { active: () => "v0", lastGood: () => "v0", prune: async () => undefined },
    check:
      lab.check ?? (async ({ sources }) => ({ report: passed, built: { hash: JSON.stringify(sources), bundle: "" } })),
    limits: { memoryMb: 256, callMilliseconds: 1000, startMilliseconds: 1000 },
    isAutomatic: () => environment["SEED_MODE"] === "auto",
    firstVersion: async () => first,
    rollOut: async () => ({ outcome: "active", nodes: [node] }),
  });
  pipeline.start();
  const agent = improver({
    // More often than it can be set.
    ...{ node, settings: { ...read.settings, SEED_IMPROVE_SECONDS: 0.05 }, store, pipeline, events, fence, model },
    live: { signals: () => signals },
    async active() {
      const id = await store.activeVersion();
      return (id === undefined ? undefined : await store.version(id)) ?? first;
    },
    plan: lab.plan ?? (async () => undefined),
  });
  ending.push(async () => {
    await agent.stop();
    await pipeline.stop();
  });
  return { agent, pipeline, missing };
}

const audited = async (action: string) =>
  (await store.auditLog({ limit: 100 })).filter((entry) => entry.action === action).toReversed();
const promptText = (model: MockLanguageModelV4, call = -1) => JSON.stringify(model.doGenerateCalls.at(call)?.prompt);

describe("a proposal", () => {
  test("goes through the queue, with its prompt's hash and cost, and waits for a person", async () => {
    const model = modelOf(answer("second"));
    const { agent } = labOf(model, { environment: { SEED_GOAL: "Be polite." } });
    const { outcome, change } = await agent.improveNow(undefined, "owner");
    expect({ outcome, state: change?.state }).toEqual({ outcome: "submitted", state: "waiting" });
    expect(change).toMatchObject({
      ...{ author: "model:sonnet", activation: "by a person", costUsd: 0.1, base: "v0" },
      ...{ files: { "handle.ts": "second" }, promptHash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(await audited("asked")).toMatchObject([
      {
        actor: "model:sonnet",
        change: "c1",
        data: { promptHash: change?.promptHash, costUsd: 0.1, by: "owner", base: "v0", outcome },
      },
    ]);
    expect(await audited("submitted")).toMatchObject([{ data: { diff: expect.stringContaining("+second") } }]);
    expect(await agent.budget()).toEqual({ changesToday: 1, changesPerDay: 5, usdToday: 0.1, usdPerDay: 5 });
    for (const part of ["Be polite.", "GET /b threw", "--- handle.ts\\nfirst", "declare module"])
      expect(promptText(model)).toContain(part);
    expect(model.doGenerateCalls[0]?.providerOptions).toEqual({ claudeCli: { maxBudgetUsd: 1 } });
  });

  test("is activated by itself in mode auto, but only with bubblewrap", async () => {
    const environment = { SEED_MODE: "auto" };
    const weak = labOf(modelOf(answer("second")), {
      environment,
      fence: { name: "permission", reason: "bwrap is not installed" },
    }).agent;
    expect(weak.mode).toEqual({
      name: "propose",
      reason: "auto needs versions to be confined by bubblewrap: bwrap is not installed",
    });
    const { agent } = labOf(modelOf(answer("second")), { environment });
    const { change } = await agent.improveNow(undefined, "owner");
    expect(change).toMatchObject({ activation: "by itself" });
    await expect.poll(async () => (await store.change(change?.id ?? ""))?.state).toBe("active");
  });

  test("that may answer differently waits for a person, also in mode auto", async () => {
    const model = modelOf(answer("second", { answers: "may differ" }));
    const { agent } = labOf(model, { environment: { SEED_MODE: "auto" } });
    expect((await agent.improveNow(undefined, "owner")).change).toMatchObject({ state: "waiting" });
  });

  test("is repaired once with what the checks found", async () => {
    const check: Check = async ({ sources }) =>
      sources["handle.ts"] === "wrong" ? { report: rejected } : { report: passed, built: { hash: "h", bundle: "" } };
    const model = modelOf(answer("wrong"), answer("right"));
    const { agent } = labOf(model, { check });
    const { outcome, change } = await agent.improveNow(undefined, "owner");
    expect({ outcome, id: change?.id, state: change?.state }).toEqual({
      ...{ outcome: "submitted", id: "c2", state: "waiting" },
    });
    expect(await store.change("c1")).toMatchObject({ state: "rejected" });
    expect(promptText(model)).toContain("handle.ts:3: no such name");
    expect(model.doGenerateCalls[1]?.providerOptions).toEqual({ claudeCli: { maxBudgetUsd: 0.9 } });
    expect(await agent.budget()).toMatchObject({ changesToday: 2, usdToday: 0.2 });
  });

  test("is given up after one repair", async () => {
    const model = modelOf(answer("wrong"), answer("worse"), answer("never"));
    const { agent } = labOf(model, { check: async () => ({ report: rejected }) });
    const { outcome, change, reason } = await agent.improveNow(undefined, "owner");
    expect({ outcome, id: change?.id, state: change?.state }).toEqual({
      outcome: "failed",
      id: "c2",
      state: "rejected",
    });
    expect(reason).toContain("the repaired answer failed too: types: 1 error");
    expect(model.doGenerateCalls).toHaveLength(2);
  });

  test("whose answer has no valid form, or no effect, is repaired too, and counts as one change", async () => {
    for (const [index, wrong] of ["I can't do that.", '{"files":[]}', answer("first")].entries()) {
      const { agent, pipeline } = labOf(modelOf(wrong, answer(`right ${index}`)));
      const { outcome, change } = await agent.improveNow(undefined, "owner");
      expect(outcome).toBe("submitted");
      expect(await agent.budget()).toMatchObject({ changesToday: index + 1 });
      await pipeline.reject(change?.id ?? "", "owner");
    }
  });
});

describe("nothing is done", () => {
  test("without a reason, and the model is not asked", async () => {
    const model = modelOf(answer("second"));
    const { agent } = labOf(model, { signals: [] });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "nothing" });
    expect(model.doGenerateCalls).toEqual([]);
    expect(await audited("not proposed")).toMatchObject([
      { actor: "owner", detail: expect.stringContaining("nothing failed"), data: { outcome: "nothing" } },
    ]);
  });

  test("if the model sees no change that is worth it; that costs no change of the budget", async () => {
    const { agent } = labOf(modelOf(answer("x", { files: [], summary: "All is well." })));
    const result = await agent.improveNow(undefined, "owner");
    expect(result).toMatchObject({ outcome: "nothing", reason: expect.stringContaining("All is well.") });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 0.1 });
  });

  test("while the service is paused, or a change is under way", async () => {
    const { agent, pipeline } = labOf(modelOf(answer("second")));
    await pipeline.pause("owner");
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({
      outcome: "busy",
      reason: expect.stringMatching(/paused/),
    });
    await pipeline.resume("owner");
    await agent.improveNow(undefined, "owner");
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({
      outcome: "busy",
      reason: "the change c1 is waiting",
    });
  });

  test("while another proposal is being written, on this node or another", async () => {
    let finish: (text: string) => void = () => undefined;
    const pending = new Promise<string>((resolve) => {
      finish = resolve;
    });
    let begun: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const one = labOf(
      modelOf(async () => {
        begun();
        return await pending;
      }),
    ).agent;
    const other = labOf(modelOf(answer("other")), { node: "n2" }).agent;
    const first = one.improveNow(undefined, "owner");
    await hasBegun;
    expect(await one.improveNow(undefined, "owner")).toMatchObject({ outcome: "busy" });
    expect(await other.improveNow(undefined, "owner")).toMatchObject({ outcome: "busy" });
    finish(answer("second"));
    expect(await first).toMatchObject({ outcome: "submitted" });
  });

  test("over the day's budget, which nodes share", async () => {
    const environment = { SEED_CHANGES_PER_DAY: "1" };
    const model = modelOf(answer("second"));
    const { agent, pipeline } = labOf(model, { environment });
    const { change } = await agent.improveNow(undefined, "owner");
    await pipeline.reject(change?.id ?? "", "owner");
    const other = labOf(model, { environment, node: "n2" }).agent;
    expect(await other.improveNow(undefined, "owner")).toMatchObject({
      outcome: "over budget",
      reason: expect.stringMatching(/SEED_CHANGES/),
    });
    expect(model.doGenerateCalls).toHaveLength(1);
  });

  test("if a proposal costs too much, and what it cost is counted", async () => {
    const error = new APICallError({
      ...{ message: "budget", url: "claude", requestBodyValues: {}, isRetryable: false },
      data: { code: "over_budget", costUsd: 1.25 },
    });
    const { agent } = labOf(modelOf(error));
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "over budget" });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 1.25 });
  });

  test("if the model takes too long", async () => {
    const never = ({ abortSignal }: LanguageModelV4CallOptions) =>
      new Promise<string>((_, reject) => {
        abortSignal?.addEventListener("abort", () => reject(abortSignal.reason));
      });
    const { agent } = labOf(modelOf(never), { environment: { SEED_MODEL_SECONDS: "1" } });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/SEED_MODEL_SECONDS/),
    });
    expect(agent.lastProblem()).toMatch(/took longer than 1 seconds/);
  });

  test("by a service that stops, and the money is given back", async () => {
    const never = ({ abortSignal }: LanguageModelV4CallOptions) =>
      new Promise<string>((_, reject) => {
        abortSignal?.addEventListener("abort", () => reject(abortSignal.reason));
      });
    const model = modelOf(never);
    const { agent } = labOf(model);
    const running = agent.improveNow(undefined, "owner");
    await expect.poll(() => model.doGenerateCalls.length).toBe(1);
    await agent.stop();
    expect(await running).toMatchObject({ outcome: "failed", reason: "it was interrupted" });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 0 });
  });
});

describe("missing_api_key", () => {
  test("is reported: as an event each time, in the health check, and in the audit log once a day", async () => {
    const error = new LoadAPIKeyError({ message: "missing_api_key: claude has no credential" });
    const { agent, missing } = labOf(modelOf(error, error, answer("second")));
    for (let count = 0; count < 2; count += 1)
      expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "missing_api_key" });
    expect(missing).toEqual(["claude", "claude"]);
    expect(agent.lastProblem()).toContain("missing_api_key");
    expect(await audited("missing_api_key")).toHaveLength(1);
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(agent.lastProblem()).toBeUndefined();
  });
});

describe("by itself", () => {
  test("it proposes, and then waits for the end of the change", async () => {
    const { agent } = labOf(modelOf(answer("second")));
    agent.start();
    await expect.poll(async () => (await store.change("c1"))?.state).toBe("waiting");
    await expect
      .poll(async () => await audited("not proposed"))
      .toMatchObject([{ detail: "the change c1 is waiting" }]);
  });

  test("it does not try the same reason again after a rejection, also after a restart, unless a person asks", async () => {
    const model = modelOf(answer("second"));
    const lab = labOf(model);
    const { change } = await lab.agent.improveNow(undefined, "owner");
    await lab.pipeline.reject(change?.id ?? "", "owner", "not so");
    for (const signals of [[fails], [{ ...fails, count: 99 }]]) {
      const again = labOf(model, { signals });
      again.agent.start();
      const details = async () => (await audited("not proposed")).map(({ detail }) => detail);
      await expect.poll(details).toContainEqual(expect.stringMatching(/it was tried already: not again before 20/));
      await again.agent.stop();
    }
    const other = labOf(model, { signals: [{ ...fails, summary: "GET /c threw" }] });
    expect(model.doGenerateCalls).toHaveLength(1);
    other.agent.start();
    await expect.poll(() => model.doGenerateCalls.length).toBe(2);
    expect(promptText(model)).toContain("rejected: not so");
  });

  test("it does nothing in mode off", async () => {
    const { agent } = labOf(modelOf(answer("second")), { environment: { SEED_MODE: "off" } });
    agent.start();
    await sleep(300);
    expect(agent.mode).toEqual({ name: "off" });
    expect(await store.auditLog({ limit: 10 })).toEqual([]);
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
  });
});

describe("the task", () => {
  const sources = { "handle.ts": "first", "plan.ts": "export default () => 'Sing.'" };

  test("comes from the version's plan.ts, which gets the situation", async () => {
    const model = modelOf(answer("second"));
    const seen: unknown[] = [];
    const plan = async (situation: unknown) => {
      seen.push(situation);
      return "Sing.";
    };
    const { agent } = labOf(model, { sources, plan, environment: { SEED_GOAL: "Music" } });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(promptText(model)).toContain("Your task:\\n\\nSing.");
    expect(seen).toMatchObject([{ goal: "Music", signals: [fails], history: [] }]);
  });

  test("is empty if plan.ts sees nothing worth a change, and the default if it fails", async () => {
    const model = modelOf(answer("second"));
    const none = labOf(model, { sources, plan: async () => undefined }).agent;
    expect(await none.improveNow(undefined, "owner")).toMatchObject({ outcome: "nothing" });
    const failing = labOf(model, {
      sources,
      plan: async () => {
        throw new Error("boom");
      },
    }).agent;
    expect(await failing.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(promptText(model)).toContain("Find the cause of this");
  });

  test("follows the goal of the request, or that of the goal file, which is read each time", async () => {
    const file = join(folder, "goal.md");
    const model = modelOf(answer("x", { files: [] }));
    const { agent } = labOf(model, { signals: [], environment: { SEED_GOAL_FILE: file } });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/SEED_GOAL_FILE/),
    });
    expect(agent.lastProblem()).toMatch(/SEED_GOAL_FILE can't be read/);
    writeFileSync(file, "Be quick.");
    await agent.improveNow(undefined, "owner");
    expect(agent.lastProblem()).toBeUndefined();
    expect(promptText(model)).toContain("Be quick.");
    await agent.improveNow("Be kind.", "owner");
    expect(promptText(model)).toContain("Be kind.");
    expect(promptText(model)).not.toContain("Be quick.");
  });
});
