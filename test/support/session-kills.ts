import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect } from "vitest";
import type { SessionEvent } from "../../components/sandbox/sessions/protocol.ts";
import type { SessionLab } from "./session-lab.ts";

/** `workerd` has the sessions, `runner` the sandboxes. */
export type Victim = "workerd" | "runner" | "both" | "sandbox";

const plan = (victims: readonly Victim[]) =>
  fc.record({
    what: fc.constantFrom(...victims),
    /** Milliseconds after the messages were sent. */
    after: fc.integer({ min: 0, max: 400 }),
    prompts: fc.array(
      fc.oneof(
        fc.integer({ max: 150, min: 0 }).map((ms) => `wait ${ms}`),
        fc.constant("stream 60"),
      ),
      { minLength: 3, maxLength: 6 },
    ),
  });

/**
 * Kills parts of a session service while it executes messages, as often as there are seeds, and expects that nothing is
 * lost or executed twice.
 *
 * @param kill kills it with SIGKILL, and starts it again unless it is supervised
 */
export async function killAtRandom(
  lab: SessionLab,
  victims: readonly Victim[],
  seeds: number,
  kill: (what: Victim) => Promise<void>,
): Promise<void> {
  // In CI on fixed cases, like every property: a failure then comes from the change.
  const chosen = process.env["SESSION_SEED"] ?? (process.env["CI"] ? 20_261_121 : Date.now() % 1e9);
  const plans = fc.sample(plan(victims), { numRuns: seeds, seed: Number(chosen) });
  for (const [seed, { what, after, prompts }] of plans.entries()) {
    const context = JSON.stringify({ chosen, seed, what, after, prompts });
    const session = await lab.session();
    const client = lab.client();
    const sent = prompts.map((prompt, at) => `${prompt} ${seed}.${at}`);
    const sending = (async () => {
      for (const text of sent) await client.send(session, text);
    })();
    const killing = (async () => {
      await sleep(after);
      if (what === "sandbox") rmSync(join(lab.folder, "sandboxes", session), { recursive: true });
      else await kill(what);
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
}

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
