import { setTimeout as sleep } from "node:timers/promises";
import { APICallError, type LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { answer, fails, improverLab, modelOf, promptText } from "../../../support/seed-agent/improver-lab.ts";

const lab = improverLab();

describe("nothing is done", () => {
  test("without a reason, and the model is not asked", async () => {
    const model = modelOf(answer("second"));
    const { agent } = lab.labOf(model, { signals: [] });
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "nothing" });
    expect(model.doGenerateCalls).toEqual([]);
    expect(await lab.audited("not proposed")).toMatchObject([
      { actor: "owner", detail: expect.stringContaining("nothing failed"), data: { outcome: "nothing" } },
    ]);
  });

  test("if the model sees no change that is worth it; that costs no change of the budget", async () => {
    const { agent } = lab.labOf(modelOf(answer("x", { files: [], summary: "All is well." })));
    const result = await agent.improveNow(undefined, "owner");
    expect(result).toMatchObject({ outcome: "nothing", reason: expect.stringContaining("All is well.") });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 0.1 });
  });

  test("while the service is paused, or a change is under way", async () => {
    const { agent, pipeline } = lab.labOf(modelOf(answer("second")));
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
    const one = lab.labOf(
      modelOf(async () => {
        begun();
        return await pending;
      }),
    ).agent;
    const other = lab.labOf(modelOf(answer("other")), { node: "n2" }).agent;
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
    const { agent, pipeline } = lab.labOf(model, { environment });
    const { change } = await agent.improveNow(undefined, "owner");
    await pipeline.reject(change?.id ?? "", "owner");
    const other = lab.labOf(model, { environment, node: "n2" }).agent;
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
    const { agent } = lab.labOf(modelOf(error));
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "over budget" });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 1.25 });
  });

  test("if the model takes too long", async () => {
    const never = ({ abortSignal }: LanguageModelV4CallOptions) =>
      new Promise<string>((_, reject) => {
        abortSignal?.addEventListener("abort", () => reject(abortSignal.reason));
      });
    const { agent } = lab.labOf(modelOf(never), { environment: { SEED_MODEL_SECONDS: "1" } });
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
    const { agent } = lab.labOf(model);
    const running = agent.improveNow(undefined, "owner");
    await expect.poll(() => model.doGenerateCalls.length).toBe(1);
    await agent.stop();
    expect(await running).toMatchObject({ outcome: "failed", reason: "it was interrupted" });
    expect(await agent.budget()).toMatchObject({ changesToday: 0, usdToday: 0 });
  });
});

describe("by itself", () => {
  test("it proposes, and then waits for the end of the change", async () => {
    const { agent } = lab.labOf(modelOf(answer("second")));
    agent.start();
    await expect.poll(async () => (await lab.store.change("c1"))?.state).toBe("waiting");
    await expect
      .poll(async () => await lab.audited("not proposed"))
      .toMatchObject([{ detail: "the change c1 is waiting" }]);
  });

  test("it does not try the same reason again after a rejection, also after a restart, unless a person asks", async () => {
    const model = modelOf(answer("second"));
    const first = lab.labOf(model);
    const { change } = await first.agent.improveNow(undefined, "owner");
    await first.pipeline.reject(change?.id ?? "", "owner", "not so");
    for (const signals of [[fails], [{ ...fails, count: 99 }]]) {
      const again = lab.labOf(model, { signals });
      again.agent.start();
      const details = async () => (await lab.audited("not proposed")).map(({ detail }) => detail);
      await expect.poll(details).toContainEqual(expect.stringMatching(/it was tried already: not again before 20/));
      await again.agent.stop();
    }
    const other = lab.labOf(model, { signals: [{ ...fails, summary: "GET /c threw" }] });
    expect(model.doGenerateCalls).toHaveLength(1);
    other.agent.start();
    await expect.poll(() => model.doGenerateCalls.length).toBe(2);
    expect(promptText(model)).toContain("rejected: not so");
  });

  test("it does nothing in mode off", async () => {
    const { agent } = lab.labOf(modelOf(answer("second")), { environment: { SEED_MODE: "off" } });
    agent.start();
    await sleep(300);
    expect(agent.mode).toEqual({ name: "off" });
    expect(await lab.store.auditLog({ limit: 10 })).toEqual([]);
    expect(await agent.improveNow(undefined, "owner")).toMatchObject({ outcome: "submitted" });
  });
});
