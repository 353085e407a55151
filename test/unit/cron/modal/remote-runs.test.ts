import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type RunsVolume,
  readLastRemoteRuns,
  readRemoteLogs,
  readRemoteRun,
  readRemoteRuns,
  type Timeouts,
} from "../../../../components/cron/modal/remote-runs.ts";
import { volumeInMemory } from "../../../support/volume-in-memory.ts";

type Fields = Record<string, unknown>;

/** A run's id at a minute of one day. */
const idAt = (minute: number, name = "fairy") =>
  `${name}-2026-11-20-${String(Math.floor(minute / 60)).padStart(2, "0")}-${String(minute % 60).padStart(2, "0")}-00`;
const timeAt = (minute: number) => new Date(Date.UTC(2026, 10, 20, 0, minute)).toISOString();
const nameOf = (id: string) => id.replace(/-\d{4}(-\d\d){5}$/, "");

function line(event: string, id: string, minute: number, fields: Fields = {}): string {
  return JSON.stringify({ event, at: timeAt(minute), changeling: nameOf(id), id, ...fields });
}

const fired = (id: string, minute: number) =>
  line("fired", id, minute, {
    cause: { kind: "manual" },
    branch: `changelings/${id}`,
    repo: "https://example.com/r.git",
  });
const ended = (id: string, minute: number, fields: Fields = {}) =>
  line("ended", id, minute, { outcome: "no_changes", commits: [], ...fields });

/** A run's folder with one file per record. */
function folder(id: string, ...lines: readonly string[]): Record<string, string> {
  const event = (text: string) => JSON.parse(text).event;
  return Object.fromEntries(lines.map((text) => [`${nameOf(id)}/${id}/${event(text)}.json`, text]));
}

function volumeOf(files: Record<string, string>) {
  const volume = volumeInMemory(files);
  // Nothing else of it is used.
  const at = { client: volume.client, environment: "mngr-me", volume: "changelings_prod_runs" } as RunsVolume;
  return { ...volume, at };
}

const hour = () => 3600;

describe("readRemoteRuns", () => {
  it("folds a run's files, in the order in which things happen", async () => {
    const id = idAt(60);
    const commits = [{ hash: "a".repeat(40), subject: "Fix one" }];
    const created = line("created", id, 61, { agentId: "agent-1" });
    const { at } = volumeOf(folder(id, ended(id, 75, { outcome: "succeeded", commits }), created, fired(id, 60)));
    expect(await readRemoteRuns(at, hour)).toEqual([
      {
        id,
        changeling: "fairy",
        cause: { kind: "manual" },
        firedAt: timeAt(60),
        endedAt: timeAt(75),
        durationSeconds: 900,
        agentId: "agent-1",
        branch: `changelings/${id}`,
        repo: "https://example.com/r.git",
        commits,
        branches: [],
        warnings: [],
        outcome: "succeeded",
        reason: undefined,
        request: undefined,
        base: undefined,
        worktree: undefined,
        agentIsKept: true,
        createdAt: timeAt(61),
      },
    ]);
  });

  it("fetches the newest alone, of all changelings, and no logs", async () => {
    const ids = [idAt(1), idAt(2, "troll"), idAt(3), idAt(4, "troll")];
    const { at, reads } = volumeOf({
      ...Object.assign({}, ...ids.map((id, index) => folder(id, fired(id, index), ended(id, index)))),
      [`troll/${idAt(4, "troll")}/output.log`]: "much",
    });
    expect((await readRemoteRuns(at, hour, { limit: 2 })).map(({ id }) => id)).toEqual([ids[3], ids[2]]);
    expect(reads.every((path) => path.includes(`${ids[3]}`) || path.includes(`${ids[2]}`))).toBe(true);
    expect(reads.filter((path) => path.endsWith(".log"))).toEqual([]);
    expect((await readRemoteRuns(at, hour, { name: "fairy" })).map(({ id }) => id)).toEqual([ids[2], ids[0]]);
    expect((await readLastRemoteRuns(at, hour)).map(({ id }) => id).sort()).toEqual([ids[2], ids[3]]);
    expect(await readRemoteRuns(at, hour, { name: "nobody" })).toEqual([]);
  });

  it("continues in the history, and reports a run that is just being moved there once", async () => {
    const [old, moving, recent] = [idAt(1), idAt(2), idAt(3)] as const;
    const history = [fired(old, 1), ended(old, 1), fired(moving, 2), ended(moving, 2, { reason: "moved" })];
    const { at, reads } = volumeOf({
      "fairy/history.jsonl": `${history.join("\n")}\n`,
      // Its other files are removed already: alone they would tell of a run that goes on.
      ...folder(moving, fired(moving, 2)),
      ...folder(recent, fired(recent, 3), ended(recent, 3)),
    });
    const all = await readRemoteRuns(at, hour);
    expect(all.map(({ id, outcome, reason }) => [id, outcome, reason])).toEqual([
      [recent, "no_changes", undefined],
      [moving, "no_changes", "moved"],
      [old, "no_changes", undefined],
    ]);
    expect((await readRemoteRun(at, hour, { changeling: "fairy", id: old }))?.id).toBe(old);
    reads.length = 0;
    await readRemoteRuns(at, hour, { limit: 2 });
    expect(reads).not.toContain("fairy/history.jsonl");
  });

  it("ignores what is not a record, or is about another run", async () => {
    const [id, other] = [idAt(1), idAt(2, "troll")] as const;
    const { at } = volumeOf({
      ...folder(id, fired(id, 1)),
      [`fairy/${id}/ended.json`]: ended(other, 2),
      [`fairy/${id}/created.json`]: ended(id, 2),
      [`fairy/${id}/destroyed.json`]: "half a li",
      [`fairy/${idAt(3)}/fired.json`]: fired(other, 1),
      [`fairy/${idAt(4)}/fired.json`]: `"${"x".repeat(300_000)}"`,
      "fairy/notes/fired.json": fired(id, 1),
      "fairy/history.jsonl": `${fired(other, 1)}\nnonsense\n`,
      "loose.json": "{}",
    });
    const runs = await readRemoteRuns(at, () => 86_400, { name: "fairy" });
    expect(runs.map(({ id, agentId }) => [id, agentId])).toEqual([[id, undefined]]);
    expect(await readRemoteRun(at, hour, { changeling: "fairy", id: "../../troll" })).toBeUndefined();
  });

  it("ignores a folder and a record whose time does not exist", async () => {
    const id = idAt(1);
    const { at } = volumeOf({
      ...folder(id, fired(id, 1), ended(id, 2)),
      "fairy/fairy-2026-99-99-99-99-99/fired.json": fired(id, 1),
      [`fairy/${idAt(3)}/fired.json`]: line("fired", idAt(3), 3, { cause: { kind: "manual" }, at: "soon" }),
    });
    const schedule = { name: "fairy", schedule: "0 0 * * *", timezone: "UTC", enabled: true, deployedAt: 0 };
    const firing = [{ ...schedule, appName: "changeling_prod_fairy", environment: "mngr-me" }];
    const ids = (await readRemoteRuns(at, hour, { firing })).flatMap((run) => (run.outcome === "failed" ? [] : run.id));
    expect(ids).toEqual([id]);
    expect(await readLastRemoteRuns(at, hour, firing)).toHaveLength(1);
  });

  it("does not fetch a history that is larger than the function writes", async () => {
    const [id, old] = [idAt(2), idAt(1)] as const;
    const history = `${fired(old, 1)}\n${ended(old, 1)}\n`;
    const { at, reads } = volumeOf({
      ...folder(id, fired(id, 2), ended(id, 3)),
      "fairy/history.jsonl": history + "x".repeat(4_000_001),
    });
    expect((await readRemoteRuns(at, hour)).map((run) => run.id)).toEqual([id]);
    expect(await readRemoteRun(at, hour, { changeling: "fairy", id: old })).toBeUndefined();
    expect(reads).not.toContain("fairy/history.jsonl");
  });

  it("returns no control characters", async () => {
    const id = idAt(1);
    const texts = fc.string({
      unit: fc.constantFrom("\u001b", "[2J", "]0;title\u0007", "\r", "\n", "\u009b", "x", "é"),
    });
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const commits = [{ hash: "a".repeat(40), subject: text }];
        const { at } = volumeOf({
          ...folder(id, fired(id, 1), ended(id, 2, { outcome: "succeeded", commits, reason: text })),
          [`fairy/${id}/output.log`]: text,
        });
        const [run] = await readRemoteRuns(at, hour);
        const logs = await readRemoteLogs(at, { changeling: "fairy", id });
        expect(`${run?.reason}${run?.commits[0]?.subject}`).not.toMatch(/\p{Cc}/u);
        expect(logs.map(({ text }) => text.replaceAll("\n", "")).join("")).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe("a run without a word of its end", () => {
  const id = idAt(0);
  const until = (minutes: number, timeout: Timeouts, ...lines: string[]) => {
    const now = Date.now();
    const shift = (text: string) => {
      const parsed = JSON.parse(text);
      const at = new Date(now - minutes * 60_000 + (Date.parse(parsed.at) - Date.parse(timeAt(0)))).toISOString();
      return JSON.stringify({ ...parsed, at });
    };
    return readRemoteRuns(volumeOf(folder(id, ...lines.map(shift))).at, timeout);
  };
  const created = line("created", id, 2, { agentId: "agent-1" });

  it.each([
    ["has timed out when its time and what its sandbox is given beyond are over", 2 + 60 + 13, "timed_out"],
    ["runs until then", 2 + 60 + 11, undefined],
  ])("%s", async (_what, minutes, outcome) => {
    const [run] = await until(minutes, hour, fired(id, 0), created);
    expect(run?.outcome).toBe(outcome);
    expect(run?.reason).toBe(outcome && "it did not report its end within its 3600 s");
    expect(run?.durationSeconds).toBe(outcome && (2 + 60 + 12) * 60);
  });

  it.each([
    ["whose agent is not recorded has as long as the function that creates it", 60 + 15 + 13, "timed_out"],
    ["and runs until then", 60 + 15 + 11, undefined],
  ])("%s", async (_what, minutes, outcome) => {
    const [run] = await until(minutes, hour, fired(id, 0));
    expect([run?.outcome, run?.reason]).toEqual([outcome, outcome && "its agent never reported"]);
  });

  it("of a changeling that is no longer deployed may take a day", async () => {
    const of = (minutes: number) => until(minutes, () => undefined, fired(id, 0), created);
    expect((await of(2 + 24 * 60 + 11))[0]?.outcome).toBeUndefined();
    expect((await of(2 + 24 * 60 + 13))[0]?.outcome).toBe("timed_out");
  });
});
