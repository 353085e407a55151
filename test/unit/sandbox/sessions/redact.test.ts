import fc from "fast-check";
import { expect, it } from "vitest";
import { Redactor } from "../../../../components/sandbox/sessions/runner/redact.ts";

const secret = "s3cret-value";

it("replaces a secret wherever the text is cut into pieces", () => {
  const redactor = new Redactor([secret]);
  fc.assert(
    fc.property(fc.array(fc.constantFrom("s3c", "ret-", "value", "s", "s3cret-", "x", secret)), (pieces) => {
      let held = "";
      let shown = "";
      for (const piece of pieces) {
        const [now, rest] = redactor.split(held + piece);
        shown += now;
        held = rest;
      }
      shown += redactor.text(held);
      expect(shown).not.toContain(secret);
      expect(shown).toBe(pieces.join("").replaceAll(secret, "***"));
    }),
  );
});

it("replaces the lines of a secret, and secrets inside of JSON", () => {
  const redactor = new Redactor(["-----BEGIN-----\nfirst-line-of-key\nsecond-line-of-key", "short", ""]);
  expect(redactor.text("it has first-line-of-key in it, and short")).toBe("it has *** in it, and short");
  expect(redactor.json({ a: ["second-line-of-key", 1, null] })).toEqual({ a: ["***", 1, null] });
});
