import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  appendRecord,
  boundRecords,
  readLastRuns,
  readRuns,
  recentLines,
} from "../../../components/cron/local/records.ts";
import { foldRuns, parseLine, type RecordLine } from "../../../components/cron/run-records.ts";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";

let home: string;
let paths: InstallationPaths;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "records-"));
  paths = installationPaths("test", home);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const minute = (n: number) => new Date(Date.parse("2026-11-21T05:00:00Z") + n * 60_000).toISOString();
const idOf = (n: number, changeling = "a") => `${changeling}-${minute(n).slice(0, 19).replace(/[T:]/g, "-")}`;

const fired = (n: number, changeling = "a"): RecordLine => ({
  event: "fired",
  at: minute(n),
  changeling,
  id: idOf(n, changeling),
  cause: { kind: "schedule", due: minute(n) },
  branch: `changelings/${idOf(n, changeling)}`,
  repo: "/repo",
});
const created = (n: number): RecordLine => ({
  event: "created",
  at: minute(n),
  changeling: "a",
  id: idOf(n),
  agentId: "agent-1",
  base: "aed55b4",
  worktree: "/w",
});
const ended = (n: number): RecordLine => ({
  event: "ended",
  at: minute(n + 1),
  changeling: "a",
  id: idOf(n),
  outcome: "succeeded",
  commits: [{ hash: "b2a592b", subject: "Fix it" }],
});

const file = () => join(paths.records, "a.jsonl");

describe("readRuns", () => {
  it("takes the base commit from the end where only that knows it, as on Modal", () => {
    const lines = [fired(0), { ...created(0), base: undefined }, { ...ended(0), base: "b45e" }];
    const read = lines.flatMap((line) => parseLine(JSON.stringify(line)) ?? []);
    expect(foldRuns(read)[0]?.base).toBe("b45e");
  });

  it("folds what happened to a run into one", () => {
    for (const line of [fired(0), created(0), ended(0)]) appendRecord(paths, line);
    expect(readRuns(paths, "a")).toEqual([
      {
        id: "a-2026-11-21-05-00-00",
        changeling: "a",
        cause: { kind: "schedule", due: "2026-11-21T05:00:00.000Z" },
        firedAt: "2026-11-21T05:00:00.000Z",
        endedAt: "2026-11-21T05:01:00.000Z",
        durationSeconds: 60,
        agentId: "agent-1",
        branch: "changelings/a-2026-11-21-05-00-00",
        repo: "/repo",
        commits: [{ hash: "b2a592b", subject: "Fix it" }],
        branches: [],
        warnings: [],
        outcome: "succeeded",
        reason: undefined,
        request: undefined,
        base: "aed55b4",
        worktree: "/w",
        createdAt: "2026-11-21T05:00:00.000Z",
        agentIsKept: true,
      },
    ]);
  });

  it("lists running and skipped runs of all changelings, newest first", () => {
    const cause = { kind: "manual" } as const;
    appendRecord(paths, fired(0));
    appendRecord(paths, fired(2, "b"));
    appendRecord(paths, { event: "skipped", at: minute(1), changeling: "a", id: idOf(1), cause, reason: "busy" });
    appendRecord(paths, { event: "queued", at: minute(1), changeling: "a", cause });
    const read = readRuns(paths).map(({ id, outcome, reason, endedAt }) => [id, outcome, reason, endedAt]);
    expect(read).toEqual([
      [idOf(2, "b"), undefined, undefined, undefined],
      [idOf(1), "skipped", "busy", minute(1)],
      [idOf(0), undefined, undefined, undefined],
    ]);
  });

  it("knows whose agents are gone", () => {
    for (const line of [fired(0), created(0), ended(0)]) appendRecord(paths, line);
    appendRecord(paths, { event: "destroyed", at: minute(3), changeling: "a", id: idOf(0) });
    expect(readRuns(paths)[0]?.agentIsKept).toBe(false);
  });

  it("is empty where nothing was recorded", () => {
    expect(readRuns(paths)).toEqual([]);
    expect(readRuns(paths, "a")).toEqual([]);
    expect([...recentLines(paths, "a")]).toEqual([]);
  });
});

describe("the file of records", () => {
  it("is a private one in a private folder, a JSON object per line", () => {
    appendRecord(paths, fired(0));
    appendRecord(paths, created(0));
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(paths.records).mode & 0o777).toBe(0o700);
    expect(readFileSync(file(), "utf8")).toBe(`${JSON.stringify(fired(0))}\n${JSON.stringify(created(0))}\n`);
  });

  it("loses at most the line that a crash tore, wherever it tore it", () => {
    const line = JSON.stringify(ended(0));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: line.length - 1 }), (length) => {
        rmSync(paths.records, { recursive: true, force: true });
        appendRecord(paths, fired(0));
        appendFileSync(file(), line.slice(0, length));
        expect(readRuns(paths, "a").map(({ outcome }) => outcome)).toEqual([undefined]);
        appendRecord(paths, ended(0));
        expect(readRuns(paths, "a").map(({ outcome }) => outcome)).toEqual(["succeeded"]);
      }),
      { numRuns: 30 },
    );
  });

  it("ignores lines that are not records", () => {
    const noise = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(fc.array(noise), (lines) => {
        const text = lines.map((line) => line.replaceAll("\n", " "));
        expect(text.flatMap((line) => parseLine(line) ?? [])).toEqual([]);
      }),
    );
    expect(parseLine(JSON.stringify({ ...ended(0), outcome: "skipped" }))).toBeUndefined();
  });

  it("gives the last lines first, without reading all", () => {
    for (let n = 0; n < 500; n += 1) appendRecord(paths, fired(n));
    const recent = [...recentLines(paths, "a")];
    expect(recent[0]).toEqual(fired(499));
    expect(recent.length).toBeGreaterThan(100);
    expect(recent.length).toBeLessThan(500);
  });

  it("stays bounded, and keeps the newest runs, open ones, and those whose agent is kept", () => {
    appendRecord(paths, fired(0));
    appendRecord(paths, fired(1));
    appendRecord(paths, created(1));
    const long = { ...ended(2), reason: "x".repeat(2000) };
    const lines = Array.from({ length: 600 }, (_, n) => [fired(n + 2), { ...long, id: idOf(n + 2) }]).flat();
    appendFileSync(file(), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    expect(statSync(file()).size).toBeGreaterThan(1_000_000);
    boundRecords(paths, "a");
    expect(statSync(file()).size).toBeLessThanOrEqual(500_000);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const kept = readRuns(paths, "a").map(({ id }) => id);
    expect(kept[0]).toBe(idOf(601));
    expect(kept.slice(-2)).toEqual([idOf(1), idOf(0)]);
    expect(kept.length).toBeGreaterThan(100);
  });

  it("is shortened at once, however long it has become", () => {
    mkdirSync(paths.records, { recursive: true });
    const lines = Array.from({ length: 10_000 }, (_, n) => [fired(5 * n), ended(5 * n)]).flat();
    writeFileSync(file(), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    boundRecords(paths, "a");
    expect(readRuns(paths, "a").map(({ id }) => id)).toEqual(
      Array.from({ length: 500 }, (_, n) => idOf(5 * (9_999 - n))),
    );
  });

  it("is left alone while it is short", () => {
    appendRecord(paths, fired(0));
    const before = readFileSync(file(), "utf8");
    boundRecords(paths, "a");
    expect(readFileSync(file(), "utf8")).toBe(before);
  });
});

describe("readLastRuns", () => {
  it("finds the last run of each, whatever was recorded of older ones since", () => {
    for (const n of [0, 1]) for (const line of [fired(n), created(n), ended(n)]) appendRecord(paths, line);
    appendRecord(paths, { event: "destroyed", at: minute(9), changeling: "a", id: idOf(0) });
    appendRecord(paths, fired(5, "b"));
    expect(readLastRuns(paths)).toEqual([...readRuns(paths, "a").slice(0, 1), ...readRuns(paths, "b")]);
    expect(readLastRuns(paths)[0]?.id).toBe(idOf(1));
  });

  it("finds a run that was fired long before the last lines", () => {
    appendRecord(paths, fired(0));
    const queued = { event: "queued", at: minute(1), changeling: "a", cause: { kind: "manual" } };
    appendFileSync(file(), `${JSON.stringify(queued)}\n`.repeat(2_000));
    appendRecord(paths, ended(0));
    expect(readLastRuns(paths)).toMatchObject([{ id: idOf(0), outcome: "succeeded" }]);
  });

  it("reads little of long records", () => {
    mkdirSync(paths.records, { recursive: true });
    const lines = Array.from({ length: 1_000 }, (_, n) => [fired(n), ended(n)]).flat();
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    // Reading this line would make the last run another one.
    const other = { ...fired(5_000), id: idOf(5_000) };
    writeFileSync(file(), `${JSON.stringify(other)}\n${text}`);
    expect(readLastRuns(paths)[0]?.id).toBe(idOf(999));
  });
});

it("foldRuns passes over the end of a run that was cut away", () => {
  expect(foldRuns([created(0), ended(0)])).toEqual([]);
});
