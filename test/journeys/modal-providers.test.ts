import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";

/** Commits, says on the remote that it has, and does not end. */
const work = "git commit -q --allow-empty -m Half && git push -q origin main:has-committed && sleep 1000";

describe("a fleet with both providers", () => {
  let test: ModalStack;
  beforeAll(async () => {
    test = await makeModalStack();
  });
  afterAll(() => test?.remove());

  const declare = (providers: Readonly<Record<string, "local" | "modal">>) =>
    test.declareOnModal(
      ...Object.entries(providers).map(
        ([name, provider]) =>
          `[changelings.${name}]\nprovider = "${provider}"\nagent_type = "command"\nagent_args = ["sh", "-c", "${work}"]` +
          (provider === "modal" ? '\nverify = "none"' : `\nrepo = "${test.home}/.changelings/dev/demo-repo"`),
      ),
    );
  const onModal = async () => (await test.emulator.control.schedules()).map(({ app }) => app).sort();
  const jobs = () => (existsSync(test.paths.jobs) ? readdirSync(test.paths.jobs).sort() : []);

  it("converges in one up", async () => {
    declare({ ant: "local", bee: "modal" });
    const { code, stdout } = await test.up();
    expect(code, stdout).toBe(0);
    expect(jobs()).toEqual(["ant.json"]);
    expect(await onModal()).toEqual(["changeling_dev_bee"]);
    expect(await test.preview()).toEqual({});
  });

  it("moves one to Modal, and back: it is there before it is gone here, so for a moment both may fire", async () => {
    declare({ ant: "modal", bee: "modal" });
    expect(await test.preview()).toEqual({
      "command:local:Command ant-app": "create",
      "command:local:Command ant-job": "delete",
      "changelings:cron:LocalScheduler scheduler": "delete",
      "command:local:Command scheduler": "delete",
    });
    const there = await test.up();
    expect(there.code, there.stdout).toBe(0);
    expect(there.stdout.search(/ant-app created/)).toBeGreaterThan(0);
    expect(there.stdout.search(/ant-job deleting/)).toBeGreaterThan(there.stdout.search(/ant-app created/));
    expect(await onModal()).toEqual(["changeling_dev_ant", "changeling_dev_bee"]);
    expect(jobs()).toEqual([]);
    expect(await test.preview()).toEqual({});

    declare({ ant: "local", bee: "modal" });
    const back = await test.up();
    expect(back.code, back.stdout).toBe(0);
    expect(back.stdout.search(/ant-app deleting/)).toBeGreaterThan(back.stdout.search(/ant-job created/));
    expect(jobs()).toEqual(["ant.json"]);
    expect(await onModal()).toEqual(["changeling_dev_bee"]);
    expect(await test.preview()).toEqual({});
  });

  it("removes one alone, with its working agent: its commits are pushed, and its end is recorded", async () => {
    declare({ ant: "local", bee: "modal", cat: "modal" });
    expect((await test.up()).code).toBe(0);
    const at = { environment: test.environment() };
    const { output } = await test.emulator.control.fire("changeling_dev_bee", "fire", at);
    const [, id] = /^(\S+): started$/m.exec(output) ?? [];
    const box = async () =>
      (await test.emulator.control.state()).sandboxes.find(({ tags }) => tags["mngr_host_name"] === id);
    expect(await box()).toMatchObject({ status: "RUNNING" });
    await expect.poll(() => test.inRepo("branch", "--list", "has-committed"), { timeout: 20_000 }).not.toBe("");
    declare({ ant: "local", cat: "modal" });
    const { code, stdout } = await test.up();
    expect(code, stdout).toBe(0);
    expect(stdout).toContain(`${id} pushes what it has committed, and ends`);
    expect((await box())?.status).not.toBe("RUNNING");
    expect(await onModal()).toEqual(["changeling_dev_cat"]);
    const reason = "its changeling was removed while it was running";
    const commits = [{ subject: "Half" }];
    expect(await test.endedRuns("bee")).toMatchObject([{ id, outcome: "failed", reason, commits }]);
    expect(test.inRepo("log", "--format=%s", `changelings/${id}`)).toBe("Half\nPast");
  });

  it("asks nothing of Modal any more when nobody is there", async () => {
    declare({ ant: "local" });
    expect((await test.up()).code).toBe(0);
    expect(await onModal()).toEqual([]);
    expect((await test.emulator.control.state()).secrets.filter(({ name }) => name)).toEqual([]);
    const rpcs = (await test.emulator.control.rpcs()).length;
    expect(await test.preview({ MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "" })).toEqual({});
    expect(await test.emulator.control.rpcs(rpcs)).toEqual([]);
  });
});
