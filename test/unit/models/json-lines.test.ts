import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonLines } from "../../../components/models/json-lines.ts";

interface Seen {
  readonly values: unknown[];
  readonly texts: string[];
}

function parse(pieces: readonly string[], maxLength?: number): Seen {
  const seen: Seen = { values: [], texts: [] };
  const lines = new JsonLines({
    onValue: (value) => seen.values.push(value),
    onText: (text) => seen.texts.push(text),
    ...(maxLength === undefined ? {} : { maxLength }),
  });
  for (const piece of pieces) lines.push(piece);
  lines.end();
  return seen;
}

/** Cuts a text at these places, given as fractions. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [0, ...places.map((place) => Math.floor(place * text.length)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, index) => text.slice(at[index], end));
}

describe("JsonLines", () => {
  it("reads the same values however the output is split", () => {
    const line = fc.oneof(
      fc.json(),
      fc.string().map((text) => text.replaceAll("\n", " ")),
      fc.constantFrom("", "  ", "{", '{"type":"result"', "warning: \u001b[31mred"),
    );
    const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(line), places, fc.boolean(), (lines, cuts, isEnded) => {
        const text = lines.join("\n") + (isEnded ? "\n" : "");
        expect(parse(cut(text, cuts))).toEqual(parse([text]));
        expect(parse([...text])).toEqual(parse([text]));
      }),
    );
  });

  it("returns every value", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const written = values.map((value) => `${JSON.stringify(value)}\n`).join("");
        expect(parse([written])).toEqual({ values: JSON.parse(JSON.stringify(values)), texts: [] });
      }),
    );
  });

  it("skips a line that is too long, and no other", () => {
    const long = JSON.stringify("x".repeat(100));
    const { values, texts } = parse(["1\n", ...long, "\n", "2"], 50);
    expect(values).toEqual([1, 2]);
    expect(texts).toEqual(["(a line that is too long was skipped)"]);
  });

  it("parses a line of several megabytes in small pieces", () => {
    const big = "y".repeat(8_000_000);
    const text = `${JSON.stringify({ big })}\n`;
    const pieces = Array.from({ length: Math.ceil(text.length / 4096) }, (_, index) =>
      text.slice(index * 4096, (index + 1) * 4096),
    );
    expect(parse(pieces).values).toEqual([{ big }]);
  });
});
