import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModalStack, makeModalStack } from "./modal-stack.ts";

const command = (script: string) => `agent_type = "command"\nagent_args = ["sh", "-c", ${JSON.stringify(script)}]`;

describe("a fleet on Modal from its first up to its destroy", () => {
  let test: ModalStack;
  beforeAll(async () => {
    test = await makeModalStack();
  });
  afterAll(() => test.remove());

  const declare = (...lines: string[]) =>
    test.declare(
      [
        `[defaults]\nprovider = "modal"\nrepo = "${test.repo}"\nsecrets = []\ntimezone = "UTC"\ntimeout_seconds = 120`,
        ...lines,
      ].join("\n"),
    );

  it("deploys each changeling, and the next up changes nothing", async () => {
    declare(`[changelings.worker]`, command("echo more >>README.md && git commit -qam 'Write more'"));
    expect(await test.preview()).toEqual({
      "pulumi:pulumi:Stack changelings-dev": "create",
      "changelings:cron:CronChangeling worker": "create",
      "changelings:modal:ModalHome modal": "create",
      "command:local:Command modal": "create",
      "command:local:Command worker-app": "create",
    });
    const { code, stdout, stderr } = await test.up();
    expect(code, stdout + stderr).toBe(0);
    expect(await test.preview()).toEqual({});
    expect((await test.emulator.control.state()).apps.map(({ name, state }) => [name, state])).toEqual([
      ["changeling_dev_worker", "APP_STATE_DEPLOYED"],
    ]);
  });

  it("fires when its schedule comes due: an agent commits, and its branch is pushed", async () => {
    const [call] = await test.emulator.control.advance(
      new Date("2026-07-02T00:00:00Z"),
      new Date("2026-07-02T12:00:00Z"),
    );
    expect(call).toMatchObject({ app: "changeling_dev_worker", status: "GENERIC_STATUS_SUCCESS" });
  });
});
