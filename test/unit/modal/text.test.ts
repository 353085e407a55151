import { describe, expect, it } from "vitest";
import { plainLines } from "../../../components/lib/text.ts";

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
