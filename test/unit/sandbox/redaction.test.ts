import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Redaction } from "../../../components/sandbox/egress/redaction.ts";

/** Some contain others, begin like others, or end as others begin. */
const secrets = ["sk-real-1", "sk-real", "real-sk", "ü-sk-real", "aa", "aaab"];

async function redacted(pieces: readonly Buffer[]): Promise<Buffer> {
  return await buffer(Readable.from(pieces, { objectMode: false }).pipe(new Redaction(secrets)));
}

it("replaces secrets by as many stars, wherever the stream is cut", async () => {
  const text = fc
    .array(fc.constantFrom("sk", "-", "real", "1", "a", "b", "ü", "x", ...secrets))
    .map((all) => all.join(""));
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(20)), async (all, sizes) => {
      let rest = Buffer.from(all);
      const pieces = sizes.map((size) => {
        const piece = rest.subarray(0, size);
        rest = rest.subarray(size);
        return piece;
      });
      const bytes = await redacted([...pieces, rest]);
      const whole = Buffer.from(all);
      expect(bytes).toEqual(await redacted([whole]));
      expect(bytes.length).toBe(whole.length);
      for (const secret of secrets) expect(bytes.includes(secret)).toBe(false);
    }),
  );
});

it("passes on all other bytes unchanged", async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  expect(await redacted([bytes])).toEqual(bytes);
});
