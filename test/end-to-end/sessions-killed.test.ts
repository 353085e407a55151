import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { SessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import { SessionLab } from "../support/session-lab.ts";

/** How many times something is killed. A night's work: `SESSION_SEEDS=100`. */
const seeds = Number(process.env["SESSION_SEEDS"] ?? 4);

const plan = fc.record({
  what: fc.constantFrom("workerd", "runner", "both", "sandbox"),
  /** Milliseconds after the messages were sent. */
  after: fc.integer({ min: 0, max: 400 }),
  prompts: fc.array(
    fc.oneof(
      fc.integer({ max: 150, min: 0 }).map((ms) => `wait ${ms}`),
      fc.constant("stream 60"),
    ),
    {
      minLength: 3,
      maxLength: 6,
    },
  ),
});

it("loses nothing and executes nothing twice, whatever is killed when", { timeout: 60_000 * (seeds + 1) }, async () => {
  await using lab = await SessionLab.start();
  // In CI on fixed cases, like every property: a failure then comes from the change.
  const chosen = process.env["SESSION_SEED"] ?? (process.env["CI"] ? 20_261_121 : Date.now() % 1e9);
  const plans = fc.sample(plan, { numRuns: seeds, seed: Number(chosen) });
  for (const [seed, { what, after, prompts }] of plans.entries()) {
    const context = JSON.stringify({ seed, what, after, prompts });
    const session = await lab.session();
    const client = lab.client();
    const sent = prompts.map((prompt, at) => `${prompt} ${seed}.${at}`);
    const sending = (async () => {
      for (const text of sent) await client.send(session, text);
    })();
    const killing = (async () => {
      await sleep(after);
      if (what === "sandbox") rmSync(join(lab.folder, "sandboxes", session), { recursive: true });
      if (what === "workerd" || what === "both") lab.killWorkerd();
      if (what === "runner" || what === "both") {
        await lab.killRunner();
        await lab.start();
      }
    })();
    await Promise.all([sending, killing]);
    await lab.idle(session);

    const messages = await client.messages(session);
    expect(
      messages.map(({ text }) => text),
      context,
    ).toEqual(sent);
    const executed = lab.executed.filter((line) => new RegExp(` ${seed}\\.\\d+$`).test(line));
    const begun = executed.filter((line) => line.startsWith("begin ")).map((line) => line.slice("begin ".length));
    expect(begun, context).toEqual([...new Set(begun)]);
    expect(begun, context).toEqual(sent.filter((text) => begun.includes(text)));
    for (const { text, state, failure } of messages) {
      const isExecuted = executed.includes(`end ${text}`);
      if (state === "done") expect(isExecuted, context).toBe(true);
      // What was executed in full, and is not done, was ended before its outcome was stored: it says so.
      else
        expect([state, failure?.code], context).toEqual(
          what === "sandbox" ? ["failed", "sandbox_gone"] : ["interrupted", "interrupted"],
        );
    }
    const lost = messages.filter(({ state }) => state === "interrupted");
    expect(lost.length, context).toBeLessThan(what === "runner" || what === "both" ? 2 : 1);
    expectWholeTranscript(
      await client.show(session).then(({ cursor }) => lab.until(session, (e) => e.cursor >= cursor)),
    );
    await client.stop(session);
  }
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

/** Each attempt begins once and ends once, with its text in one piece, and cursors increase. */
function expectWholeTranscript(events: readonly SessionEvent[]): void {
  const cursors = events.map(({ cursor }) => cursor);
  expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b));
  const lengths = new Map<number, number>();
  const steps = events.flatMap((event) => {
    if (event.type === "text") {
      expect(event.offset).toBe(lengths.get(event.message) ?? 0);
      lengths.set(event.message, event.offset + event.text.length);
    }
    return event.type === "message" || event.type === "started" || event.type === "finished"
      ? [`${event.type} ${event.message}`]
      : [];
  });
  expect(steps).toEqual([...new Set(steps)]);
  expect(steps.filter((step) => step.startsWith("message")).length).toBe(
    steps.filter((step) => step.startsWith("finished")).length,
  );
}
