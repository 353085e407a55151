import fc from "fast-check";
import { expect, it } from "vitest";
import { Redactor } from "../../../../components/sandbox/sessions/runner/redact.ts";

/** Some contain others, begin like others, or end as others begin. */
const secrets = ["s3cret-value", "s3cret", "value-of-s3cret", "s3cret-value-2", "aaaaaa", "aaaaaaaab"];

it("replaces secrets wherever the text is cut into pieces", () => {
  const redactor = new Redactor(secrets);
  const piece = fc.constantFrom("s3c", "ret", "-value", "-of-", "value", "s", "-2", "a", "aaa", "b", "x", ...secrets);
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      let held = "";
      let shown = "";
      for (const piece of pieces) {
        const [now, rest] = redactor.split(held + piece);
        shown += now;
        held = rest;
      }
      shown += redactor.text(held);
      for (const secret of secrets) expect(shown).not.toContain(secret);
      expect(shown).toBe(redactor.text(pieces.join("")));
    }),
    { numRuns: 1000 },
  );
});

it("replaces the lines of a secret, and secrets inside of JSON", () => {
  const redactor = new Redactor(["-----BEGIN-----\nfirst-line-of-key\nsecond-line-of-key", "short", ""]);
  expect(redactor.text("it has first-line-of-key in it, and short")).toBe("it has *** in it, and short");
  expect(redactor.json({ a: ["second-line-of-key", 1, null] })).toEqual({ a: ["***", 1, null] });
});
