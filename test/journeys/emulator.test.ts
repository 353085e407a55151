import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { ModalClient } from "modal";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as z from "zod/mini";
import { runProgram } from "../../components/lib/process.ts";
import { toolchain } from "../../scripts/stack/setup/environment.ts";
import { descendantsOf, startOf } from "../../scripts/stack/setup/processes.mjs";
import { portOf } from "../support/fault-proxy.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/modal-emulator/${name}`, import.meta.url));
const web = createServer((_, response) => response.end("here"));
const patience = { timeout: 20_000, interval: 100 };
let emulator: Emulator;

interface Finished {
  readonly code: number;
  /** What it printed to both streams, without the frames and colours that the client draws, as one line. */
  readonly text: string;
  readonly stdout: string;
}

beforeAll(async () => {
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  emulator = await startEmulator({ sandboxReaches: [portOf(web)] });
});

afterAll(async () => {
  web.close();
  await emulator?.stop();
});

async function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  let text = "";
  const { code, stdout } = await runProgram(program, args, {
    env: { PATH: `${process.env["PATH"]}`, HOME: emulator.folder, COLUMNS: "200", ...emulator.env, ...env },
    timeoutSeconds: 120,
    onOutput: (part) => {
      text += part;
    },
  });
  return { code, stdout, text: text.replaceAll(/[│╭╮╰╯─\s]+/g, " ") };
}

const modal = (...args: string[]): Promise<Finished> => run(toolchain().modal, args);
const setSecret = (value: string): Promise<Finished> =>
  modal("secret", "create", "nightly", `VALUE=${value}`, "--force");

describe("an app", { timeout: 120_000 }, () => {
  const fires = z.array(z.object({ started: z.number(), ended: z.number() }));

  beforeAll(async () => {
    expect(await setSecret("first")).toMatchObject({ code: 0 });
    expect(await modal("deploy", fixture("nightly.py"))).toMatchObject({ code: 0 });
  }, 60_000);

  test("is listed, and deployed again only when it has changed", async () => {
    const again = await modal("deploy", fixture("nightly.py"));
    expect(again).toMatchObject({ code: 0, text: expect.stringContaining("Deployment skipped: no changes detected!") });
    const changed = await run(toolchain().modal, ["deploy", fixture("nightly.py")], { CRON: "15 2 * * *" });
    expect(changed.code).toBe(0);
    const [app] = (await emulator.control.state()).apps.filter(({ name }) => name === "nightly");
    expect(app?.versions.map(({ version }) => version)).toEqual([1, 2]);
    expect(app?.functions[0]).toMatchObject({
      max_containers: 1,
      schedule: { cron: { cron_string: "15 2 * * *", timezone: "America/New_York" } },
    });
    const steps = app?.functions[0]?.image.flatMap((layer) => layer.steps) ?? [];
    expect(steps.find(({ argument }) => argument === "apt-get install -y git")?.outcome).toBe(
      "skipped: installs or downloads (--run offline)",
    );
    const listed = z.array(z.object({ description: z.string(), state: z.string() }));
    expect(z.parse(listed, JSON.parse((await modal("app", "list", "--json")).stdout))).toEqual([
      { description: "nightly", state: "deployed" },
    ]);
  });

  test("comes due in its time zone; a time that the clock leaves out does not", async () => {
    const schedules = await emulator.control.schedules(new Date("2026-03-07T00:00:00Z"));
    expect(schedules.map(({ next }) => next)).toEqual(["2026-03-07T07:15:00+00:00"]);
    const calls = await emulator.control.advance(new Date("2026-03-07T00:00:00Z"), new Date("2026-03-10T00:00:00Z"));
    expect(calls.map(({ scheduled_for, status, output }) => ({ scheduled_for, status, output }))).toEqual(
      ["2026-03-07T07:15:00+00:00", "2026-03-09T06:15:00+00:00"].map((scheduled_for) => ({
        scheduled_for,
        status: "GENERIC_STATUS_SUCCESS",
        output: "lines: 30 value: first\n",
      })),
    );
  });

  test("sees the values of an overwritten secret, which keeps its id", async () => {
    const id = async (): Promise<string | undefined> =>
      (await emulator.control.state()).secrets.find(({ name }) => name === "nightly")?.id;
    const before = await id();
    await setSecret("second");
    expect(await id()).toBe(before);
    expect((await emulator.control.fire("nightly")).output).toBe("lines: 30 value: second\n");
  });

  test("is called from TypeScript, in one container at a time", async () => {
    vi.stubEnv("MODAL_SERVER_URL", emulator.env.MODAL_SERVER_URL);
    const { MODAL_TOKEN_ID: tokenId, MODAL_TOKEN_SECRET: tokenSecret } = emulator.env;
    const client = new ModalClient({ tokenId, tokenSecret });
    try {
      const fire = await client.functions.fromName("nightly", "fire", { environment: "main" });
      expect(await fire.remote([], { mode: "check" })).toMatchObject({ mode: "check" });
      const calls = await Promise.all(["a", "b", "c"].map((mode) => fire.spawn([mode])));
      const results = z.parse(fires, await Promise.all(calls.map((call) => call.get())));
      const inOrder = results.toSorted((a, b) => a.started - b.started);
      for (const [i, { ended }] of inOrder.entries()) {
        expect(inOrder[i + 1]?.started ?? Number.POSITIVE_INFINITY).toBeGreaterThan(ended);
      }
    } finally {
      client.close();
      vi.unstubAllEnvs();
    }
    const { stdout } = await modal("volume", "get", "nightly", "log", "-");
    const modes = stdout.split("\n").filter((line) => /^[a-z]+$/.test(line));
    expect(modes.slice(-4).toSorted()).toEqual(["a", "b", "c", "check"]);
  });

  test("never comes due once it is stopped, and can't be stopped again", async () => {
    expect((await modal("app", "stop", "nightly", "--yes")).code).toBe(0);
    expect(await emulator.control.schedules()).toEqual([]);
    const again = await modal("app", "stop", "nightly", "--yes");
    expect(again).toMatchObject({ code: 1, text: expect.stringContaining("App is already stopped") });
  });
});

describe("a deployment fails", { timeout: 60_000 }, () => {
  test("with the log of an image that can't be built", async () => {
    const { code, text } = await modal("deploy", fixture("unbuildable.py"));
    expect(code).toBe(1);
    expect(text).toContain("about to fail");
    expect(text).toContain("what went wrong");
    expect(text).toContain("exited with code 3");
  });

  test("with the name of a secret that is missing", async () => {
    await modal("secret", "delete", "nightly", "--yes");
    const missing = await modal("deploy", fixture("nightly.py"));
    expect(missing.code).toBe(1);
    expect(missing.text).toContain("Secret 'nightly' not found in environment 'main'");
  });

  test("with a wrong token", async () => {
    const refused = await run(toolchain().modal, ["app", "list"], { MODAL_TOKEN_SECRET: "as-wrong" });
    expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("Token validation failed") });
  });

  test("where a fault is asked for, and goes on where one is lifted", async () => {
    await emulator.control.setFaults([{ method: "AppPublish", status: "RESOURCE_EXHAUSTED", message: "no more" }]);
    const refused = await modal("deploy", fixture("sound.py"));
    expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("no more") });
    await emulator.control.setFaults([{ method: "AppPublish" }]);
    const before = (await emulator.control.rpcs()).length;
    const deploying = modal("deploy", fixture("sound.py"));
    const methods = async () => (await emulator.control.rpcs(before)).map(({ method }) => method);
    await expect.poll(methods, patience).toContain("FunctionCreate");
    const states = (await emulator.control.state()).apps
      .filter(({ name }) => name === "sound")
      .map(({ state }) => state);
    expect(states).not.toContain("APP_STATE_DEPLOYED");
    await emulator.control.setFaults([]);
    expect((await deploying).code).toBe(0);
  });
});

test("a sandbox runs commands, reaches only what it may, and is created again from its snapshot", async () => {
  const closed = createServer();
  closed.listen(0, "127.0.0.1");
  await once(closed, "listening");
  try {
    const args = [fixture("sandbox.py"), String(portOf(web)), String(portOf(closed))];
    const { code, stdout, text } = await run(toolchain().python, args);
    expect({ code, text }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toEqual({
      listed: true,
      exec: ["from-image\nt0ken\n", "oops\n", 3],
      stdin: "typed\n",
      reached: 0,
      unreached: 1,
      restored: "kept\nno origin\n",
    });
    const statuses = (await emulator.control.state()).sandboxes.map(({ name, status }) => ({ name, status }));
    expect(statuses).toEqual([
      { name: "one", status: "GENERIC_STATUS_TERMINATED" },
      { name: null, status: "RUNNING" },
    ]);
  } finally {
    closed.close();
  }
}, 60_000);

test("an environment goes with all that is in it", async () => {
  await modal("environment", "create", "throwaway");
  expect((await modal("secret", "create", "gone", "A=1", "--env", "throwaway")).code).toBe(0);
  expect((await modal("environment", "delete", "throwaway", "--yes")).code).toBe(0);
  const { environments, secrets } = await emulator.control.state();
  expect(environments).toEqual(["main"]);
  expect(secrets.filter(({ name }) => name === "gone")).toEqual([]);
}, 60_000);

test.each(["SIGTERM", "SIGKILL"] as const)(
  "ended by %s, it leaves no container behind",
  async (signal) => {
    await using doomed = await startEmulator();
    const deployed = await run(toolchain().modal, ["deploy", fixture("sound.py")], doomed.env);
    expect(deployed.code).toBe(0);
    await doomed.control.fire("sound", "sleep", { wait: false });
    await expect.poll(async () => (await doomed.control.state()).calls[0]?.output, patience).toContain("asleep");
    const containers = descendantsOf(doomed.pid);
    expect(containers.length).toBeGreaterThan(1);
    process.kill(doomed.pid, signal);
    await doomed.ended;
    await expect.poll(() => containers.filter((pid) => startOf(pid) !== null), patience).toEqual([]);
    await doomed.stop();
    expect(existsSync(doomed.folder)).toBe(false);
  },
  60_000,
);
