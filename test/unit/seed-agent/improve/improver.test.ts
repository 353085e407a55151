import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LoadAPIKeyError } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import type { Check } from "../../../../components/seed-agent/program/hot-reload/checking.ts";
import {
  answer,
  fails,
  improverLab,
  modelOf,
  passed,
  promptText,
  rejected,
} from "../../../support/seed-agent/improver-lab.ts";

const lab = improverLab();

describe("a proposal", () => {
  test("goes through the queue, with its prompt's hash and cost, and waits for a person", async () => {
    const model = modelOf(answer("second"));
    const { agent } = lab.labOf(model, { environment: { SEED_GOAL: "Be polite." } });
    const { outcome, change } = await agent.improveNow(undefined, "owner");
    expect({ outcome, state: change?.state }).toEqual({ outcome: "submitted", state: "waiting" });
    expect(change).toMatchObject({
      ...{ author: "model:sonnet", activation: "by a person", costUsd: 0.1, base: "v0" },
      ...{ files: { "handle.ts": "second" }, promptHash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(await lab.audited("asked")).toMatchObject([
      {
        actor: "model:sonnet",
        change: "c1",
        data: { promptHash: change?.promptHash, costUsd: 0.1, by: "owner", base: "v0", outcome },
      },
    ]);
    expect(await lab.audited("submitted")).toMatchObject([{ data: { diff: expect.stringContaining("+second") } }]);
    expect(await agent.budget()).toEqual({ changesToday: 1, changesPerDay: 5, usdToday: 0.1, usdPerDay: 5 });
    for (const part of ["Be polite.", "GET /b threw", "--- handle.ts\\nfirst", "declare module"])
      expect(promptText(model)).toContain(part);
    expect(model.doGenerateCalls[0]?.providerOptions).toEqual({ claudeCli: { maxBudgetUsd: 1 } });
  });

  test("is activated by itself in mode auto, but only with bubblewrap", async () => {
    const environment = { SEED_MODE: "auto" };
    const weak = lab.labOf(modelOf(answer("second")), {
      environment,
      fence: { name: "permission", reason: "bwrap is not installed" },
    }).agent;
    expect(weak.mode).toEqual({
      name: "propose",
      reason: "auto needs versions to be confined by bubblewrap: bwrap is not installed",
    });
    const { agent } = lab.labOf(modelOf(answer("second")), { environment });
    const { change } = await agent.improveNow(undefined, "owner");
    expect(change).toMatchObject({ activation: "by itself" });
    await expect.poll(async () => (await lab.store.change(change?.id ?? ""))?.state).toBe("active");
  });

  test("that may answer differently waits for a person, also in mode auto", async () => {
    const model = modelOf(answer("second", { answers: "may differ" }));
    const { agent } = lab.labOf(model, { environment: { SEED_MODE: "auto" } });
    expect((await agent.improveNow(undefined, "owner")).change).toMatchObject({ state: "waiting" });
  });

  test("is repaired once with what the checks found", async () => {
    const check: Check = async ({ sources }) =>
      sources["handle.ts"] === "wrong" ? { report: rejected } : { report: passed, built: { hash: "h", bundle: "" } };
    const model = modelOf(answer("wrong"), answer("right"));
    const { agent } = lab.labOf(model, { check });
    const { outcome, change } = await agent.improveNow(undefined, "owner");
    expect({ outcome, id: change?.id, state: change?.state }).toEqual({
      ...{ outcome: "submitted", id: "c2", state: "waiting" },
    });
    expect(await lab.store.change("c1")).toMatchObject({ state: "rejected" });
    expect(promptText(model)).toContain("handle.ts:3: no such name");
    expect(model.doGenerateCalls[1]?.providerOptions).toEqual({ claudeCli: { maxBudgetUsd: 0.9 } });
    expect(await agent.budget()).toMatchObject({ changesToday: 2, usdToday: 0.2 });
  });

  test("is given up after one repair", async () => {
    const model = modelOf(answer("wrong"), answer("worse"), answer("never"));
    const { agent } = lab.labOf(model, { check: async () => ({ report: rejected }) });
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
      const { agent, pipeline } = lab.labOf(modelOf(wrong, answer(`right ${index}`)));
      const { outcome, change } = await agent.improveNow(undefined, "owner");
      expect(outcome).toBe("submitted");
      expect(await agent.budget()).toMatchObject({ changesToday: index + 1 });
      await pipeline.reject(change?.id ?? "", "owner");
    }
  });
});

describe("missing_api_key", () => {
  test("is reported: as an event each time, in the health check, and in the audit log once a day", async () => {
    const error = new LoadAPIKeyError({ message: "missing_api_key: claude has no credential" });
    const { agent, missing } = lab.labOf(modelOf(error, error, answer("second")));
    for (let count = 0; count < 2; count += 1)
      expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "missing_api_key" });
    expect(missing).toEqual(["claude", "claude"]);
    expect(agent.lastProblem()).toContain("missing_api_key");
    expect(await lab.audited("missing_api_key")).toHaveLength(1);
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(agent.lastProblem()).toBeUndefined();
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
    const { agent } = lab.labOf(model, { sources, plan, environment: { SEED_GOAL: "Music" } });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(promptText(model)).toContain("Your task:\\n\\nSing.");
    expect(seen).toMatchObject([{ goal: "Music", signals: [fails], history: [] }]);
  });

  test("is empty if plan.ts sees nothing worth a change, and the default if it fails", async () => {
    const model = modelOf(answer("second"));
    const none = lab.labOf(model, { sources, plan: async () => undefined }).agent;
    expect(await none.improveNow(undefined, "owner")).toMatchObject({ outcome: "nothing" });
    const failing = lab.labOf(model, {
      sources,
      plan: async () => {
        throw new Error("boom");
      },
    }).agent;
    expect(await failing.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
    expect(promptText(model)).toContain("Find the cause of this");
  });

  test("follows the goal of the request, or that of the goal file, which is read each time", async () => {
    const file = join(lab.folder, "goal.md");
    const model = modelOf(answer("x", { files: [] }));
    const { agent } = lab.labOf(model, { signals: [], environment: { SEED_GOAL_FILE: file } });
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
