import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { masked, plainLines } from "../../components/plain-text.ts";

describe("plainLines", () => {
  it("takes the box from an error", () => {
    const box = [
      "╭─ Error ──────────────────────╮",
      "│ Secret 'nope' not found in   │",
      "│ environment 'x1'.            │",
      "╰──────────────────────────────╯",
    ];
    expect(plainLines(box.join("\n"))).toEqual(["Secret 'nope' not found in", "environment 'x1'."]);
  });

  it("takes colours and what was overwritten", () => {
    expect(plainLines("\u001b[32m✓\u001b[0m made\n\n10 %\r50 %\rdone\r\n")).toEqual(["✓ made", "done"]);
  });
});

describe("masked", () => {
  it("leaves nothing of a secret, however it stands there", () => {
    const secret = 'line one is long\nand "line two" too\t$HOME';
    const text = masked(`a ${secret} b ${JSON.stringify(secret)} c and "line two" too\t$HOME d`, [secret]);
    expect(text).toBe('a *** b "***" c *** d');
  });

  it("never leaves a secret of four characters or more", () => {
    const secret = fc.string({ minLength: 4, unit: "grapheme" }).filter((text) => text.trim().length >= 4);
    fc.assert(
      fc.property(fc.array(secret, { maxLength: 3 }), fc.string(), (secrets, text) => {
        const left = masked(secrets.join(text), secrets).replaceAll("***", "\0");
        for (const each of secrets) expect(left).not.toContain(each);
      }),
    );
  });

  it("leaves a text alone that holds none", () => {
    expect(masked("nothing here", ["", "ab", "s3cret"])).toBe("nothing here");
  });
});
