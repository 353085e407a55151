import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Run } from "../../../components/cron/run-records.ts";
import { runReport } from "../../../components/cron/run-text.ts";
import { quoted, shellCommand } from "../../../components/lib/shell-command.ts";
import { printJson, printNote, printText } from "../../../components/lib/terminal.ts";
import { plainWords } from "../../../components/lib/text.ts";
import { runsText } from "../../../scripts/changeling/cron/runs.ts";
import "../../support/properties.ts";

const root = join(import.meta.dirname, "../../..");
/** Sets a title, clears the screen, types for the person, reverses the text; in 7 and in 8 bits. */
const hostile = "\u001b]0;title\u0007a\u001b[2J\u001b[31mb\u001bP+q\u001b\\\u009b5n\u202ec\r\bd";

function printed(stream: NodeJS.WriteStream, print: () => void): string {
  const write = vi.spyOn(stream, "write").mockImplementation(() => true);
  try {
    print();
    return write.mock.calls.map(([text]) => String(text)).join("");
  } finally {
    write.mockRestore();
  }
}

describe("printed text", () => {
  const isHarmless = (text: string) => !/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/u.test(text);

  it("holds nothing that a terminal obeys, whatever an agent wrote", () => {
    expect(plainWords(hostile)).not.toMatch(/title|31m|2J/);
    const anything = fc.string({
      unit: fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: "binary", minLength: 1, maxLength: 1 })),
    });
    fc.assert(
      fc.property(anything, (text) => {
        expect(isHarmless(printed(process.stdout, () => printText(text)))).toBe(true);
        expect(isHarmless(printed(process.stderr, () => printNote(text)))).toBe(true);
        const json = printed(process.stdout, () => printJson({ text }));
        expect(isHarmless(json)).toBe(true);
        expect(JSON.parse(json)).toEqual({ text });
      }),
      { numRuns: 30 },
    );
  });

  it("keeps a table's columns in line", () => {
    const run: Run = {
      id: "a-2026-11-21-05-00-00",
      changeling: "a",
      cause: { kind: "manual" },
      firedAt: "2026-11-21T05:00:00.000Z",
      endedAt: "2026-11-21T05:01:00.000Z",
      durationSeconds: 60,
      agentId: "agent-1",
      branch: "changelings/a-2026-11-21-05-00-00",
      repo: "/repo",
      commits: [{ hash: "0123456789", subject: `Fix\n${hostile}` }],
      branches: [],
      warnings: [],
      outcome: "succeeded",
      reason: undefined,
    };
    expect(runsText([run]).split("\n")).toHaveLength(2);
    expect(isHarmless(plainWords(runReport(run)))).toBe(true);
  });

  /** The class of the fault: who writes to the terminal by itself goes past all of this. */
  it.each([
    // wait.ts has colours of its own around plain words.
    ["scripts/changeling", ["terminal/progress.ts", "fleet-file/edit-fleet.ts", "seed-agent/wait.ts"]],
    // The seed agent's service writes JSON lines to its log; fence.ts has the text of a program for the fence.
    [
      "components",
      [
        ...["lib/terminal.ts", "command-script.ts", "seed-agent/local/run-node.ts"],
        ...["seed-agent/program/events/open-events.ts", "seed-agent/program/hot-reload/fence.ts"],
      ],
    ],
  ])("%s writes to the terminal by terminal.ts alone", (folder, own) => {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".ts") && !own.includes(file),
    );
    const writers = files.filter((file) =>
      /process\.std(out|err)\.write\(|console\.\w+\(/.test(readFileSync(join(root, folder, file), "utf8")),
    );
    // Programs of their own, which print to a log or a usage line.
    expect(writers.filter((file) => !/(^|\/)(main|relay)\.ts$/.test(file))).toEqual([]);
  });
});

describe("a printed command", () => {
  it("has the same words for a shell, whatever they contain", async () => {
    const { execFileSync } = await import("node:child_process");
    const word = fc.string({ unit: fc.constantFrom(..."ab /'\"$`\\!&;|<>()*?[]{}~#=%\n-é") });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
        const script = `printf '%s\\0' ${shellCommand(words)}`;
        expect(execFileSync("sh", ["-c", script], { encoding: "utf8" })).toBe(
          words.map((each) => `${each}\0`).join(""),
        );
      }),
      { numRuns: 50 },
    );
    expect(quoted("changelings/a-1")).toBe("changelings/a-1");
  });
});
