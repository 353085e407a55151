import fc from "fast-check";
import { expect, it } from "vitest";
import { type Limits, maxMessageLength, maxQueuedLength } from "../../../../components/sandbox/sessions/protocol.ts";
import type { Outcome } from "../../../../components/sandbox/sessions/runner-protocol.ts";
import {
  begin,
  type Change,
  cancel,
  type Entry,
  emptyQueue,
  end,
  post,
  processing,
  type Queue,
  RequestError,
  retry,
  setStatus,
} from "../../../../components/sandbox/sessions/worker/queue.ts";

const at = "2026-11-30T08:00:00.000Z";
const minuteLater = "2026-11-30T08:01:00.000Z";

/** A queue, what is stored of it, and what happened to it: as the object does it, without its database. */
class Model {
  queue: Queue;
  readonly stored = new Map<number, Entry>();
  /** Attempts in the order in which they began, as `<message>-<attempt>`. */
  readonly begun: string[] = [];
  /** The final state of each attempt, in order. */
  readonly finished = new Map<string, string[]>();

  constructor(limits: Limits = {}) {
    this.queue = emptyQueue(limits);
  }

  apply(change: Change | undefined): void {
    if (change === undefined) return;
    this.queue = change.queue;
    for (const entry of change.changed) this.stored.set(entry.id, entry);
    for (const event of change.events) {
      if (event.type === "started") this.begun.push(`${event.message}-${event.attempt}`);
      if (event.type !== "finished") continue;
      const key = `${event.message}-${event.attempt}`;
      this.finished.set(key, [...(this.finished.get(key) ?? []), event.state]);
    }
  }

  refused(work: () => Change | undefined): boolean {
    try {
      this.apply(work());
      return false;
    } catch (error) {
      if (error instanceof RequestError) return true;
      throw error;
    }
  }

  /** The object is made again from what is stored. */
  reload(): void {
    const open = [...this.stored.values()].filter(({ state }) => state === "queued" || state === "processing");
    this.queue = { ...this.queue, open: open.sort((a, b) => a.place - b.place) };
  }
}

const outcomes: readonly Outcome[] = [
  { state: "done", answer: "yes" },
  { state: "failed", failure: { code: "timeout", message: "too long" } },
  { state: "cancelled" },
  { state: "interrupted", failure: { code: "interrupted", message: "killed" } },
];

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ what: "post" as const }) },
  { weight: 4, arbitrary: fc.constant({ what: "begin" as const }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("end" as const), outcome: fc.constantFrom(...outcomes) }) },
  fc.record({ what: fc.constant("late" as const), outcome: fc.constantFrom(...outcomes) }),
  fc.record({ what: fc.constant("cancel" as const), id: fc.nat(8) }),
  fc.record({ what: fc.constant("retry" as const), id: fc.nat(8) }),
  fc.constantFrom({ what: "pause" as const }, { what: "resume" as const }, { what: "crash" as const }),
  { weight: 1, arbitrary: fc.constant({ what: "stop" as const }) },
);

it("keeps the order, loses nothing and executes no attempt twice, whatever happens when", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Model();
      let last: Entry | undefined;
      for (const each of steps) {
        const current = processing(model.queue);
        if (each.what === "post") model.refused(() => post(model.queue, { author: "ada", text: "hi", at }));
        else if (each.what === "begin") model.apply(begin(model.queue, at));
        else if (each.what === "end" && current !== undefined) {
          model.apply(end(model.queue, current, { outcome: each.outcome, costUsd: 1, at: minuteLater }));
          last = current;
        } else if (each.what === "late" && last !== undefined) {
          const before = model.queue;
          model.apply(end(model.queue, last, { outcome: each.outcome, costUsd: 1, at: minuteLater }));
          expect(model.queue).toBe(before);
        } else if (each.what === "cancel") model.apply(cancel(model.queue, { id: each.id, at }));
        else if (each.what === "retry") {
          const entry = model.stored.get(each.id);
          if (entry !== undefined) model.refused(() => retry(model.queue, entry, { by: "bob", at }));
        } else if (each.what === "crash") model.reload();
        else if (each.what === "pause" || each.what === "resume" || each.what === "stop") {
          const status = ({ pause: "paused", resume: "running", stop: "terminated" } as const)[each.what];
          model.refused(() => setStatus(model.queue, { status, by: "ada", at }));
        }

        const { open, messages } = model.queue;
        const places = open.map(({ place }) => place);
        expect(places).toEqual([...places].sort((a, b) => a - b));
        expect(open.slice(1).every(({ state }) => state === "queued")).toBe(true);
        // Nothing is lost: every message is open or has a final state.
        expect([...model.stored.keys()].sort((a, b) => a - b)).toEqual(
          Array.from({ length: messages }, (_, i) => i + 1),
        );
        const stored = [...model.stored.values()];
        const openIds = stored.filter(({ state }) => state === "queued" || state === "processing").map(({ id }) => id);
        expect(openIds.sort()).toEqual(open.map(({ id }) => id).sort());
        // Nothing is done twice: an attempt begins at most once, and ends at most once.
        expect(new Set(model.begun).size).toBe(model.begun.length);
        expect([...model.finished.values()].every((states) => states.length === 1)).toBe(true);
        if (model.queue.status === "terminated") expect(open).toEqual([]);
      }
      const firsts = model.begun.filter((key) => key.endsWith("-1")).map((key) => Number(key.split("-")[0]));
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    }),
  );
});

it("processes nothing while it is paused, and lets what is processed end", () => {
  const model = new Model();
  for (const text of ["one", "two"]) model.apply(post(model.queue, { author: "ada", text, at }));
  model.apply(begin(model.queue, at));
  model.apply(setStatus(model.queue, { status: "paused", by: "ada", at }));
  const [first] = model.queue.open;
  model.apply(end(model.queue, first as Entry, { outcome: { state: "done", answer: "" }, costUsd: 0, at }));
  expect(model.stored.get(1)?.state).toBe("done");
  expect(begin(model.queue, at)).toBeUndefined();
  model.apply(setStatus(model.queue, { status: "running", by: "ada", at }));
  model.apply(begin(model.queue, at));
  expect(model.begun).toEqual(["1-1", "2-1"]);
});

it.each([
  [{ messages: 1 }, "this session is limited to 1 messages"],
  [{ minutes: 1 }, "this session is limited to 1 minutes of execution"],
  [{ costUsd: 2 }, "this session is limited to 2 US dollars"],
])("refuses a message over the limit %j", (limits, reason) => {
  const model = new Model(limits);
  model.apply(post(model.queue, { author: "ada", text: "one", at }));
  model.apply(begin(model.queue, at));
  const [first] = model.queue.open;
  model.apply(end(model.queue, first as Entry, { outcome: { state: "cancelled" }, costUsd: 2, at: minuteLater }));
  const refused = () => post(model.queue, { author: "ada", text: "two", at });
  expect(refused).toThrow(expect.objectContaining({ code: "over_limit", message: reason }));
});

it("fails what waited when a limit was reached, and does not execute it", () => {
  const model = new Model({ costUsd: 1 });
  for (const text of ["one", "two"]) model.apply(post(model.queue, { author: "ada", text, at }));
  model.apply(begin(model.queue, at));
  const [first] = model.queue.open;
  model.apply(end(model.queue, first as Entry, { outcome: { state: "done", answer: "" }, costUsd: 1, at }));
  model.apply(begin(model.queue, at));
  expect(model.stored.get(2)).toMatchObject({ state: "failed", failure: { code: "over_limit" } });
  expect(model.begun).toEqual(["1-1"]);
});

it("refuses messages that would fill the memory together, also those that are retried", () => {
  const model = new Model();
  const text = "x".repeat(maxMessageLength);
  const send = () => model.apply(post(model.queue, { author: "ada", text, at }));
  send();
  model.apply(cancel(model.queue, { id: 1, at }));
  for (let length = 0; length + text.length <= maxQueuedLength; length += text.length) send();
  const full = expect.objectContaining({ code: "over_limit", message: expect.stringContaining("too long together") });
  expect(send).toThrow(full);
  expect(() => retry(model.queue, model.stored.get(1) as Entry, { by: "ada", at })).toThrow(full);
  model.apply(cancel(model.queue, { id: 2, at }));
  send();
});
