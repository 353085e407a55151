import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { killAtRandom } from "../support/session-kills.ts";
import { SessionLab } from "../support/session-lab.ts";

/** How many times something is killed. A night's work: `SESSION_SEEDS=100`. */
const seeds = Number(process.env["SESSION_SEEDS"] ?? 4);

it("loses nothing and executes nothing twice, whatever is killed when", { timeout: 60_000 * (seeds + 1) }, async () => {
  await using lab = await SessionLab.start();
  await killAtRandom(lab, ["workerd", "runner", "both", "sandbox"], seeds, async (what) => {
    if (what === "workerd" || what === "both") lab.killWorkerd();
    if (what === "runner" || what === "both") {
      await lab.killRunner();
      await lab.start();
    }
  });
});

it("keeps what a sandbox contains whenever the service is killed while it falls asleep or wakes up", {
  timeout: 30_000 * (seeds + 1),
}, async () => {
  await using lab = await SessionLab.start();
  const client = lab.client();
  const kept = (session: string) =>
    readdirSync(join(lab.folder, "sandboxes")).filter((name) => name.startsWith(session));
  const chosen = process.env["SESSION_SEED"] ?? (process.env["CI"] ? 20_261_130 : Date.now() % 1e9);
  /** Milliseconds after it fell asleep for the first time, with a snapshot and an end about every second. */
  const times = fc.sample(fc.integer({ min: 0, max: 1500 }), { numRuns: seeds, seed: Number(chosen) });
  const session = await lab.session("example-idle");
  for (const [seed, after] of times.entries()) {
    const context = JSON.stringify({ seed, after });
    await client.send(session, `one ${seed}`);
    await sleep(after + 800);
    const sending = client.send(session, `two ${seed}`);
    await lab.killRunner();
    await lab.start();
    await sending;
    await lab.idle(session);
    await client.send(session, `three ${seed}`);
    await lab.idle(session);
    const [sandbox = "", ...more] = kept(session);
    expect(more, context).toEqual([]);
    const begun = lab.executed.filter((line) => line.startsWith("begin ")).map((line) => line.slice("begin ".length));
    expect(readFileSync(join(lab.folder, "sandboxes", sandbox, "work"), "utf8").split("\n"), context).toEqual([
      ...begun,
      "",
    ]);
  }
});
