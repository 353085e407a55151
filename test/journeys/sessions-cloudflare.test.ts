import { kill } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deadAfterMs } from "../../components/sandbox/sessions/link-protocol.ts";
import type { SessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import { CloudLab } from "../support/cloud-lab.ts";
import { killAtRandom } from "../support/session-kills.ts";

/** How many times something is killed. A night's work: `SESSION_SEEDS=100`. */
const seeds = Number(process.env["SESSION_SEEDS"] ?? 10);

let lab: CloudLab;
beforeAll(async () => {
  lab = await CloudLab.start();
  await lab.connected();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const isFinished = (message: number) => (event: SessionEvent) => event.type === "finished" && event.message === message;

it("loses nothing and executes nothing twice, whatever is killed when", { timeout: 90_000 * (seeds + 1) }, async () => {
  await killAtRandom(lab.runner, ["workerd", "runner", "both", "sandbox"], seeds, async (what) => {
    if (what === "workerd" || what === "both") {
      await lab.cloud.kill();
      if (what === "workerd") await lab.cloud.start();
    }
    if (what === "runner" || what === "both") {
      await lab.runner.killRunner();
      if (what === "both") await lab.cloud.start();
      await lab.runner.start();
    }
  });
});

it("goes on after a minute in which neither the agent nor the person says anything", { timeout: 240_000 }, async () => {
  const client = lab.runner.client();
  const session = await lab.runner.session();
  // Objects leave memory after 10 s without a request.
  await client.send(session, "wait 60000 silent");
  expect((await lab.runner.until(session, isFinished(1))).at(-1)).toMatchObject({ state: "done" });
  await sleep(30_000);
  await client.send(session, "wait 0 after the silence");
  expect((await lab.runner.until(session, isFinished(2))).at(-1)).toMatchObject({ state: "done" });
  expect(lab.runner.executed.filter((line) => /sil/.test(line)).length).toBe(4);
});

it("notices a machine that is gone without a word, and goes on when it is back", { timeout: 300_000 }, async () => {
  const client = lab.runner.client();
  const session = await lab.runner.session();
  await client.send(session, "wait 0 before");
  await lab.runner.until(session, isFinished(1));
  // As a laptop whose lid is closed: its connections stay open, and nothing answers.
  kill(lab.runner.runnerPid, "SIGSTOP");
  try {
    await client.send(session, "wait 0 asleep");
    await sleep(deadAfterMs + 15_000);
    expect(await lab.isConnected()).toBe(false);
    await expect(client.diff(session)).rejects.toMatchObject({ code: "unavailable" });
  } finally {
    kill(lab.runner.runnerPid, "SIGCONT");
  }
  await lab.runner.until(session, isFinished(2));
  expect(lab.runner.executed.filter((line) => line.endsWith(" asleep"))).toEqual([
    "begin wait 0 asleep",
    "end wait 0 asleep",
  ]);
});
