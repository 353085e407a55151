import fc from "fast-check";
import { expect, it } from "vitest";
import type { SessionEvent } from "../../../../components/sandbox/sessions/protocol.ts";
import { type TextSeen, withoutSeenText } from "../../../../components/sandbox/sessions/seen-text.ts";

it("gives every character once, wherever the pieces begin again", () => {
  const whole = "The quick brown fox jumps over the lazy dog.";
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(20))), (cuts) => {
      let seen: TextSeen | undefined;
      let received = "";
      for (const [back, length] of cuts) {
        const offset = Math.max(0, received.length - back);
        const text = whole.slice(offset, offset + length);
        const event: SessionEvent = { type: "text", cursor: 1, at: "", message: 1, attempt: 1, offset, text };
        const [trimmed, now] = withoutSeenText(event, seen);
        seen = now;
        if (trimmed?.type === "text") {
          expect(trimmed.offset).toBe(received.length);
          received += trimmed.text;
        }
      }
      expect(whole.startsWith(received)).toBe(true);
    }),
  );
});

it("begins again with another attempt", () => {
  const event: SessionEvent = { type: "text", cursor: 9, at: "", message: 1, attempt: 2, offset: 0, text: "again" };
  expect(withoutSeenText(event, { message: 1, attempt: 1, length: 50 })[0]).toEqual(event);
});
