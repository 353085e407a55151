import fc from "fast-check";
import { expect, it } from "vitest";
import { apply, emptyTranscript, lastAttempt, processing } from "../../../../components/sandbox/page/public/model.js";
import type { EventBody, SessionEvent } from "../../../../components/sandbox/sessions/protocol.ts";

const of = { message: 1, attempt: 1 };

function events(...bodies: EventBody[]): SessionEvent[] {
  return bodies.map((body, at) => ({
    ...body,
    cursor: at + 1,
    at: `2026-01-01T00:00:${String(at).padStart(2, "0")}Z`,
  }));
}

function transcriptOf(all: readonly SessionEvent[]) {
  const transcript = emptyTranscript();
  for (const event of all) apply(transcript, event);
  return transcript;
}

it("collects an answer: text, tool calls with their results, notices, cost", () => {
  const transcript = transcriptOf(
    events(
      { type: "message", message: 1, author: "ada", text: "hi" },
      { type: "started", ...of },
      { type: "text", ...of, offset: 0, text: "one " },
      { type: "text", ...of, offset: 4, text: "two" },
      { type: "tool_call", ...of, id: "a", name: "Bash", input: { command: "ls" } },
      { type: "tool_result", ...of, id: "a", output: "file", isError: true },
      { type: "notice", ...of, text: "compacted" },
      { type: "text", ...of, offset: 7, text: "three" },
      { type: "cost", ...of, usd: 0.5 },
    ),
  );
  const item = processing(transcript);
  expect(item && lastAttempt(item)).toMatchObject({
    state: "processing",
    costUsd: 0.5,
    parts: [
      { kind: "text", text: "one two" },
      { kind: "tool", id: "a", name: "Bash", input: { command: "ls" }, output: "file", isError: true },
      { kind: "notice", text: "compacted" },
      { kind: "text", text: "three" },
    ],
  });
});

it("shows the answer of a runtime that does not stream, and only once of one that does", () => {
  const asked = { type: "message", message: 1, author: "ada", text: "hi" } as const;
  const done = { type: "finished", ...of, state: "done", answer: "all" } as const;
  const partsOf = (...all: EventBody[]) => transcriptOf(events(asked, ...all)).messages.get(1)?.attempts[0]?.parts;
  expect(partsOf(done)).toEqual([{ kind: "text", text: "all" }]);
  expect(partsOf({ type: "text", ...of, offset: 0, text: "all" }, done)).toEqual([{ kind: "text", text: "all" }]);
});

it("is the same after any reconnections, with pieces that come again", () => {
  const text = "a text in 漢字 and 😀 emoji, of some length";
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(text.length), fc.nat(12)), { maxLength: 30 }), (cuts) => {
      const transcript = transcriptOf(
        events({ type: "message", message: 1, author: "ada", text: "hi" }, { type: "started", ...of }),
      );
      let known = 0;
      for (const [start, length] of [...cuts, [0, text.length] as const]) {
        // A piece begins within what is known, as the protocol promises.
        const offset = Math.min(start, known);
        const piece = text.slice(offset, offset + length);
        known = Math.max(known, offset + piece.length);
        apply(transcript, { type: "text", ...of, offset, text: piece, cursor: 3, at: "" });
      }
      expect(transcript.messages.get(1)?.attempts[0]?.parts).toEqual([{ kind: "text", text }]);
    }),
  );
});

it("ignores events that it has", () => {
  const all = events(
    { type: "created", by: "ada", changeling: "example" },
    { type: "progress", text: "cloning" },
    { type: "message", message: 1, author: "ada", text: "hi" },
    { type: "status", status: "paused", by: "ada" },
  );
  const once = transcriptOf(all);
  expect(transcriptOf([...all, ...all])).toEqual(once);
  expect(once.items.map(({ kind }) => kind)).toEqual(["start", "message", "line"]);
});

it("keeps the queue in the order of execution, over cancellations, retries and the end", () => {
  const message = (id: number) => ({ type: "message", message: id, author: "ada", text: String(id) }) as const;
  const all: EventBody[] = [
    ...[message(1), message(2), message(3)],
    { type: "started", ...of },
    { type: "finished", ...of, state: "failed", failure: { code: "timeout", message: "too long" } },
    { type: "finished", message: 2, attempt: 1, state: "cancelled" },
    { type: "retried", message: 1, attempt: 2, by: "bob" },
  ];
  expect(transcriptOf(events(...all)).open).toEqual([3, 1]);
  expect(transcriptOf(events(...all)).messages.get(1)?.attempts).toMatchObject([
    { state: "failed", failure: { message: "too long" } },
    { state: "queued", retriedBy: "bob" },
  ]);
  const ended = transcriptOf(
    events(...all, { type: "status", status: "terminated", by: "ada", reason: "time is over" }),
  );
  expect(ended).toMatchObject({ open: [], status: "terminated", reason: "time is over" });
});
