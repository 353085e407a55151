import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, ReportStep } from "../../../../components/seed-agent/program/domain.ts";
import type { Status } from "../../../../components/seed-agent/program/server/api.ts";
import {
  changedFiles,
  isEmptyFolder,
  readCheckedOut,
  readSources,
  writeSources,
} from "../../../../scripts/changeling/seed-agent/sources.ts";
import { changesText, changeText } from "../../../../scripts/changeling/seed-agent/text.ts";
import { exitCodeOf, outcomeText, ProgressPrinter } from "../../../../scripts/changeling/seed-agent/wait.ts";
import { projectFolder } from "../../../../scripts/stack/project.ts";

const firstVersion = join(projectFolder, "components/seed-agent/program/first-version");
const first = Object.fromEntries(
  readdirSync(firstVersion).map((file) => [file, readFileSync(join(firstVersion, file), "utf8")]),
);
const from = { agent: "sprout", version: "v0" };

describe("a checkout", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "checkout-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("has only the sources, and records their version", () => {
    writeSources(folder, { ...first, "lib/words.ts": "export const word = 1;\n" }, from);
    expect(readSources(folder)).toEqual({ ...first, "lib/words.ts": "export const word = 1;\n" });
    expect(readCheckedOut(folder)).toEqual(from);
    expect(isEmptyFolder(folder)).toBe(false);
  });

  it("is type-checked by an editor's TypeScript", () => {
    writeSources(folder, first, from);
    const check = () =>
      execFileSync(process.execPath, [join(projectFolder, "node_modules/typescript/bin/tsc"), "-p", folder], {
        stdio: ["ignore", "pipe", "pipe"],
        encoding: "utf8",
      });
    expect(check()).toBe("");
    writeFileSync(join(folder, "handle.ts"), `${first["handle.ts"]}\nconst wrong: number = "text";\n`);
    expect(check).toThrow();
  }, 60_000);

  it.each([
    "../out.ts",
    "/etc/out.ts",
    "a/../../out.ts",
    ".git/hooks.ts",
    "a/.b.ts",
    "tsconfig.json",
    "a\\..\\b.ts",
    "seed.d.ts",
  ])("writes nothing of an agent that names a file %j", (path) => {
    expect(() => writeSources(join(folder, "in"), { "handle.ts": "", [path]: "" }, from)).toThrow(/can't be written/);
    expect(existsSync(join(folder, "in"))).toBe(false);
    expect(existsSync(join(folder, "out.ts"))).toBe(false);
  });

  it("is read only from the folder, without hidden folders and packages", () => {
    writeSources(folder, first, from);
    for (const hidden of ["node_modules/x", ".git"]) {
      mkdirSync(join(folder, hidden), { recursive: true });
      writeFileSync(join(folder, hidden, "a.ts"), "");
    }
    expect(readSources(folder)).toEqual(first);
    symlinkSync("/etc/passwd", join(folder, "passwd.ts"));
    expect(() => readSources(folder)).toThrow(/passwd\.ts is a symbolic link/);
    expect(() => readSources(join(folder, ".git"))).not.toThrow();
    mkdirSync(join(folder, "empty"));
    expect(() => readSources(join(folder, "empty"))).toThrow(/no TypeScript file/);
  });

  it("is submitted as its changes: new text, or null for a removed file", () => {
    expect(changedFiles({ "a.ts": "1", "b.ts": "2", "c.ts": "3" }, { "a.ts": "1", "b.ts": "4", "d.ts": "5" })).toEqual({
      "b.ts": "4",
      "c.ts": null,
      "d.ts": "5",
    });
    expect(changedFiles(first, first)).toEqual({});
  });
});

const step = (
  name: ReportStep["name"],
  outcome: ReportStep["outcome"],
  more: Partial<ReportStep> = {},
): ReportStep => ({
  ...{ name, outcome, milliseconds: 12, summary: `${name} is done`, diagnostics: [], ...more },
});
const change = (state: Change["state"], steps: readonly ReportStep[] = [], more: Partial<Change> = {}): Change => ({
  ...{ id: "c1", state, files: {}, summary: "Greet", base: "v0", answers: "same", activation: "by a person" },
  ...{ author: "owner", submittedAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z", attempts: 1 },
  report: { passed: false, steps: [...steps], fence: "bubblewrap", milliseconds: 20 },
  ...more,
});

describe("waiting for a change", () => {
  it("prints each state and each step once, as it happens", () => {
    let printed = "";
    const printer = new ProgressPrinter((text) => {
      printed += text;
    });
    printer.print(change("queued"));
    printer.print(change("checking"));
    printer.print(change("checking", [step("parse", "passed")]));
    printer.print(change("checking", [step("parse", "passed"), step("tests", "failed")]));
    printer.print(change("rejected", [step("parse", "passed"), step("tests", "failed")]));
    expect(printed.replace(/\u001b\[\d+m/g, "")).toBe(`c1 is submitted
c1 is checking
  passed  parse, 12 ms: parse is done
  failed  tests, 12 ms: tests is done
c1 is rejected
`);
  });

  it("says what it waits for, without repetition", () => {
    let printed = "";
    const printer = new ProgressPrinter(
      (text) => {
        printed += text;
      },
      change("approved", [step("parse", "passed")]),
    );
    const status: Status = {
      ...{ node: "n1", release: "r", active: "v1", paused: true, mode: "off", fence: { name: "bubblewrap" } },
      ...{ store: "sqlite", queue: 1, nodes: [] },
      probation: { version: "v1", former: "v0", state: "under way", requests: 3, errors: 0 },
      budget: { changesToday: 0, changesPerDay: 1, usdToday: 0, usdPerDay: 1 },
    };
    const approved = change("approved", [step("parse", "passed")], { version: "v1" });
    printer.print(approved);
    printer.watch(approved, status, "sprout");
    printer.watch(approved, status, "sprout");
    expect(printed).toMatch(/^c1 is approved\n {2}sprout is paused; go on with: .* seed resume sprout\n$/);
    printed = "";
    const rolling = new ProgressPrinter((text) => {
      printed += text;
    });
    rolling.watch(change("rolling-out", [], { version: "v1" }), status, "sprout");
    rolling.watch(change("rolling-out", [], { version: "v2" }), status, "sprout");
    expect(printed).toBe("  v1 is on probation: 3 requests, 0 failed\n");
  });

  it.each([
    ["active", 0, /c1 is active: sprout runs v1/],
    ["waiting", 0, /seed approve sprout c1/],
    ["queued", 0, /seed show sprout c1 --wait/],
    ["rejected", 1, /c1 is rejected: too slow\nsee: .* seed show sprout c1/],
    ["rolled-back", 1, /runs the version before again/],
    ["failed", 1, /c1 is failed: too slow/],
  ] as const)("ends at %s with the code %i", (state, code, text) => {
    const ended = change(state, [], { version: "v1", reason: "too slow" });
    expect(exitCodeOf(ended)).toBe(code);
    expect(outcomeText("sprout", ended)).toMatch(text);
  });
});

describe("the text of a change", () => {
  const hostile = "\u001b]0;title\u0007\u001b[2J\u202eevil";
  const failed = step("types", "failed", {
    diagnostics: [{ file: "handle.ts", line: 3, message: `Type 'string'\n${hostile}` }],
    summary: hostile,
  });

  it("contains its report, and no control character from the agent", () => {
    const stream = Object.assign(Object.create(process.stdout), { isTTY: false });
    const text = changeText(change("rejected", [failed], { summary: hostile, reason: hostile }), stream);
    expect(text).toContain("handle.ts:3: Type 'string'");
    expect(text.replace(/\u001b\[\d+m/g, "")).not.toMatch(/[\u001b\u0007\u202e]/);
    expect(changesText([change("active", [], { summary: hostile })])).not.toMatch(/[\u001b\u0007\u202e]/);
  });
});
