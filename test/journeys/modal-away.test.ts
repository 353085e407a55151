import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Finished } from "../../scripts/stack/stack.ts";
import { diagnosticsOf } from "../engine/engine-text.ts";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";
import { type FaultMode, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";

const names = ["ant", "bee", "cat"];
const destroy = ["destroy", "--yes", "--skip-preview", "--non-interactive"];
/** What a person waits for a word at most. */
const patienceSeconds = 20;
const stackName = "changelings-dev";
const remedy = "check the network and https://status.modal.com, then run it again";

describe("Modal, where it can't be asked", () => {
  let test: ModalStack;
  let proxy: FaultProxy;
  /** What an up that stops at once takes on this machine: that is none of anybody's patience with Modal. */
  let engineSeconds: number;
  beforeAll(async () => {
    test = await makeModalStack();
    proxy = await startFaultProxy(test.emulator.env.MODAL_SERVER_URL);
    test.declareOnModal(
      ...names.map((name) => `[changelings.${name}]\nagent_type = "command"\nagent_args = ["true"]\nverify = "none"`),
    );
  });
  afterAll(async () => {
    await proxy?.stop();
    await test?.remove();
  });

  const through = () => ({ MODAL_SERVER_URL: proxy.url });
  const live = async () =>
    (await test.emulator.control.state()).apps
      .filter(({ state }) => state === "APP_STATE_DEPLOYED")
      .map(({ name }) => name)
      .sort();
  const timed = async (work: Promise<Finished>) => {
    const start = Date.now();
    return { ...(await work), seconds: (Date.now() - start) / 1000 };
  };

  it("stops an up once for the fleet when the token is wrong, or half, and never prints its secret", async () => {
    const { code, stdout, stderr, seconds } = await timed(test.up({ MODAL_TOKEN_SECRET: "as-wrong-secret" }));
    engineSeconds = seconds;
    expect(code).not.toBe(0);
    expect(diagnosticsOf(stdout)).toEqual({
      [stackName]: [
        "error: Modal was asked for the environments: Token validation failed for token id 'ak-emulator'; create a new one " +
          "with: modal token new (or at https://modal.com/settings/tokens); MODAL_TOKEN_ID and MODAL_TOKEN_SECRET in the " +
          "environment take precedence over every other token",
      ],
    });
    expect(stdout + stderr).not.toContain("as-wrong");
    const half = await test.up({ MODAL_TOKEN_SECRET: "" });
    expect(diagnosticsOf(half.stdout)).toEqual({
      [stackName]: ["error: MODAL_TOKEN_ID is set, but MODAL_TOKEN_SECRET is not; set both, or none"],
    });
  });

  it.each<[string, FaultMode, RegExp]>([
    ["nobody listens", "refuse", /^connect ECONNREFUSED [\d.:]+$/],
    ["the connection breaks", { cutAfterBytes: 200 }, /^read ECONNRESET$/],
    ["nothing ever comes", "hang", /^no answer within 15 s$/],
  ])("does the same, before anything is touched and within 20 s, when %s", async (_, mode, cause) => {
    await proxy.switchTo(mode);
    const { code, stdout, seconds } = await timed(test.up(through()));
    expect(code).not.toBe(0);
    expect(seconds - engineSeconds).toBeLessThan(patienceSeconds);
    const found = diagnosticsOf(stdout);
    const [error = ""] = found[stackName] ?? [];
    expect(found).toEqual({ [stackName]: [error] });
    const [, said] = /^error: Modal was asked for the environments: (.*); check the network/.exec(error) ?? [];
    expect(said).toMatch(cause);
    expect(error.endsWith(remedy)).toBe(true);
    expect((await test.emulator.control.state()).environments).toEqual(["main"]);
  });

  it("lets a preview pass without a token, with one warning", async () => {
    const none = { MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "" };
    const { code, stdout } = await test.pulumi(["preview", "--non-interactive", "--color", "never"], none);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("+ 8 to create");
    expect(diagnosticsOf(stdout)).toEqual({
      [stackName]: [
        "warning: The state on Modal could not be read, so drift is not shown: no Modal token is set; get one with: modal " +
          "token new; or create one at https://modal.com/settings/tokens and set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET " +
          "(in a pipeline: as its secrets)",
      ],
    });
  });

  it("fails what is under way with one line each when it goes away meanwhile, and the next up converges", async () => {
    await proxy.switchTo("pass");
    const { control } = test.emulator;
    await control.setFaults([{ method: "AppPublish", times: names.length }]);
    const under = test.up(through());
    await control.faultsCame();
    await proxy.switchTo("refuse");
    await control.setFaults([]);
    const { code, stdout } = await under;
    expect(code).not.toBe(0);
    const found = diagnosticsOf(stdout);
    expect(Object.keys(found).sort()).toEqual([...names.map((name) => `${name}-app`), stackName]);
    for (const name of names) {
      const errors = found[`${name}-app`]?.filter((line) => line.startsWith("error: "));
      expect(errors).toEqual([
        'error: exit status 1: running "exec node scripts/command.ts modal-app apply":',
        expect.stringMatching(new RegExp(`^error: deploying changeling_dev_${name} failed: .*Connect.*; ${remedy}$`)),
      ]);
    }
    expect(await live()).toEqual([]);
    await proxy.switchTo("pass");
    const next = await test.up(through());
    expect(next.code, next.stdout).toBe(0);
    expect(await live()).toEqual(names.map((name) => `changeling_dev_${name}`));
    expect(await test.preview(through())).toEqual({});
  });

  it("keeps the record of what it could not remove, and removes it when Modal is back", async () => {
    await proxy.switchTo("refuse");
    const away = await test.pulumi(destroy, through());
    expect(away.code).not.toBe(0);
    expect(Object.keys(diagnosticsOf(away.stdout)).sort()).toEqual([...names.map((name) => `${name}-app`), stackName]);
    await proxy.switchTo("pass");
    expect(await test.preview(through())).toEqual({});
    expect(await live()).toEqual(names.map((name) => `changeling_dev_${name}`));
    const back = await test.pulumi(destroy, through());
    expect(back.code, back.stdout).toBe(0);
    expect(await live()).toEqual([]);
  });
});
