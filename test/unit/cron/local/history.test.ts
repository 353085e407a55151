import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jobDifferences } from "../../../../components/cron/inspect/differences.ts";
import { writeJob } from "../../../../components/cron/local/installed-files.ts";
import {
  appendRecord,
  readLastRuns,
  readNewestRuns,
  readRuns,
  renameHistory,
} from "../../../../components/cron/local/records.ts";
import { removeClones } from "../../../../components/cron/local/remove-clones.ts";
import { warnOfUnsaved } from "../../../../components/cron/local/unsaved-work.ts";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { writeSecrets } from "../../../../components/secrets/installed.ts";
import { firstToFire } from "../../../../scripts/changeling/cron/fire-first.ts";
import { missingSecrets } from "../../../../scripts/changeling/fleet-file/applied.ts";
import { projectFolder } from "../../../../scripts/stack/project.ts";

const installation = "0123456789ab";
let home: string;
const paths = () => installationPaths(installation, home);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "history-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

/** A run that was fired, and whose agent is kept. */
function record(changeling: string, id: string, at: string): void {
  const common = { at, changeling, id };
  appendRecord(paths(), { ...common, event: "fired", cause: { kind: "manual" }, branch: "main", repo: "/repo" });
  const agent = { agentId: `agent-${id}`, base: "a".repeat(40), worktree: join(home, "worktrees", id) };
  appendRecord(paths(), { ...common, event: "created", ...agent });
  mkdirSync(join(paths().runs, changeling, id), { recursive: true });
  writeFileSync(join(paths().runs, changeling, id, "output.log"), id);
}

describe("the history of a local changeling", () => {
  it("is the renamed one's, before what that has itself, with what its runs left; once", () => {
    record("troll", "troll-1", "2026-11-21T06:00:00.000Z");
    record("fairy", "fairy-2", "2026-11-22T06:00:00.000Z");
    for (let times = 0; times < 2; times++) renameHistory(paths(), "troll", "fairy");
    expect(readRuns(paths(), "troll")).toEqual([]);
    expect(readRuns(paths(), "fairy").map(({ id, changeling }) => [id, changeling])).toEqual([
      ["fairy-2", "fairy"],
      ["troll-1", "fairy"],
    ]);
    for (const id of ["troll-1", "fairy-2"]) {
      expect(readFileSync(join(paths().runs, "fairy", id, "output.log"), "utf8")).toBe(id);
    }
  });

  it("has the same newest runs, whether few or all of them are wanted", () => {
    const at = (minutes: number) => new Date(Date.UTC(2026, 10, 21, 6, minutes)).toISOString();
    const names = ["troll", "fairy"] as const;
    for (const [offset, name] of names.entries()) {
      const lines = Array.from({ length: 400 }, (_, n) => {
        const common = { at: at(2 * n + offset), changeling: name, id: `${name}-${n}` };
        const fired = { ...common, event: "fired", cause: { kind: "manual" }, branch: "main", repo: "/repo" };
        const ended = { ...common, event: "ended", outcome: "failed", reason: "x".repeat(300), commits: [] };
        // The first run ends last.
        return [fired, ...(n === 0 ? [] : [ended]), ...(n === 399 ? [{ ...ended, id: `${name}-0` }] : [])];
      });
      writePrivateFile(
        join(paths().records, `${name}.jsonl`),
        lines
          .flat()
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(""),
      );
    }
    for (const name of [undefined, ...names]) {
      const all = readRuns(paths(), name);
      expect(all).toHaveLength(name === undefined ? 800 : 400);
      for (const limit of [1, 20, 300, 400, 10_000, Number.POSITIVE_INFINITY])
        expect(readNewestRuns(paths(), limit, name)).toEqual(all.slice(0, limit));
    }
    expect(
      readLastRuns(paths())
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["fairy-399", "troll-399"]);
  });

  it("is not read completely for its newest runs", () => {
    record("troll", "troll-1", "2026-11-21T06:00:00.000Z");
    record("fairy", "fairy-1", "2026-11-21T06:00:00.000Z");
    const file = join(paths().records, "troll.jsonl");
    const text = readFileSync(file, "utf8");
    // More than Node reads into one string.
    truncateSync(file, 2 ** 30);
    appendFileSync(file, `\n${text}`);
    expect(readNewestRuns(paths(), 1).map(({ id }) => id)).toEqual(["troll-1"]);
  });

  it("stays when the last local changeling goes, and the scheduler with it", () => {
    record("troll", "troll-1", "2026-11-21T06:00:00.000Z");
    const at = "2026-11-21T07:00:00.000Z";
    appendRecord(paths(), { event: "ended", at, changeling: "troll", id: "troll-1", outcome: "failed", commits: [] });
    appendRecord(paths(), { event: "destroyed", at, changeling: "troll", id: "troll-1" });
    mkdirSync(paths().jobs);
    const script = join(projectFolder, "scripts", "command.ts");
    const env = { ...process.env, HOME: home, INSTALLATION: installation };
    execFileSync(process.execPath, [script, "local-scheduler", "remove"], { env, stdio: "pipe" });
    expect(readRuns(paths()).map(({ id }) => id)).toEqual(["troll-1"]);
    expect(existsSync(join(paths().runs, "troll", "troll-1", "output.log"))).toBe(true);
    for (const gone of [paths().jobs, paths().scheduler]) expect(existsSync(gone)).toBe(false);
  });

  it("warns about agents that are kept for their unsaved work, and about no others", async () => {
    record("troll", "troll-1", "2026-11-21T06:00:00.000Z");
    const said = async (name?: string) => {
      const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      await warnOfUnsaved(paths(), name);
      const text = write.mock.calls.flat().join("");
      write.mockRestore();
      return text;
    };
    expect(await said("troll")).toBe("");
    expect(await said()).toMatch(
      /^warning: an agent of an earlier run could not be .*: mngr destroy agent-troll-1 --force\n$/,
    );
    const { worktree = "" } = readRuns(paths())[0] ?? {};
    execFileSync("git", ["init", "--quiet", worktree]);
    writeFileSync(join(worktree, "unsaved"), "");
    for (const name of ["troll", undefined]) {
      expect(await said(name)).toMatch(
        /^warning: the agent of troll-1 was kept .*\/worktrees\/troll-1; .*mngr destroy agent-troll-1 --force\n$/,
      );
    }
  });

  it("keeps clones that hold a run's branch", () => {
    const clone = (name: string, ref: string) => {
      const folder = join(paths().repos, name);
      execFileSync("git", ["init", "--quiet", "--bare", folder]);
      mkdirSync(join(folder, ref, ".."), { recursive: true });
      writeFileSync(join(folder, ref), `${"a".repeat(40)}\n`);
      return folder;
    };
    const kept = clone("kept", "refs/heads/changelings/troll-1");
    const packed = clone("packed", "refs/heads/main");
    writeFileSync(join(packed, "packed-refs"), `${"a".repeat(40)} refs/heads/changelings/troll-2\n`);
    const gone = clone("gone", "refs/heads/main");
    expect(removeClones(paths()).sort()).toEqual([kept, packed]);
    expect([kept, packed, gone].map((folder) => existsSync(folder))).toEqual([true, true, false]);
  });
});

describe("files that the state names and that are gone", () => {
  const job = (name: string) => ({ urn: `urn:pulumi:dev::c::t::${name}-job`, environment: environment(name) });
  const secrets = (name: string) => ({ urn: `urn:pulumi:dev::c::t::${name}-secrets`, environment: environment(name) });
  const environment = (NAME: string) => ({ NAME, INSTALLATION: installation });

  it("are job files and secrets files of this installation", () => {
    const spec = {
      ...{
        name: "troll",
        enabled: true,
        schedule: "0 3 * * *",
        timezone: "UTC",
        catchUp: true,
        overlap: "skip" as const,
      },
      ...{ timeoutSeconds: 60, settleSeconds: 5, keepRuns: 5, repo: "/repo", branch: "main" },
      agent: { type: "t", mngrType: "command", isConversational: false, args: [], buildArgs: [], env: {} },
    };
    writeJob(paths(), spec);
    writeSecrets(paths(), "troll", {});
    const elsewhere = { ...job("away"), environment: { NAME: "away", INSTALLATION: "ba9876543210" } };
    const commands = [job("troll"), secrets("troll"), job("gone"), secrets("gone"), elsewhere];
    const found = [
      ...jobDifferences({ paths: paths(), installation }, commands),
      ...missingSecrets(paths(), installation, commands),
    ];
    expect(found.map(({ words }) => words)).toEqual([
      "gone does not fire: its job file is missing",
      "gone has no secrets: its secrets file is missing",
    ]);
    // As a destroy on another machine leaves it.
    const words =
      "troll fires on this machine, but the stack's state does not contain it: was it destroyed from another machine?";
    for (const left of [[], [secrets("troll")], [{ ...job("troll"), environment: elsewhere.environment }]]) {
      expect(jobDifferences({ paths: paths(), installation }, left).map((each) => each.words)).toEqual([words]);
    }
  });
});

describe("what npm start fires", () => {
  const of = (name: string, enabled: boolean) => ({ name, enabled });
  it("is the example's, unless it is paused; else the first that is enabled", () => {
    expect(firstToFire([of("alpha", true), of("todo-ledger", true)])?.name).toBe("todo-ledger");
    expect(firstToFire([of("alpha", true), of("todo-ledger", false)])).toBeUndefined();
    expect(firstToFire([of("beta", false), of("alpha", true)])?.name).toBe("alpha");
    expect(firstToFire([of("beta", false)])).toBeUndefined();
  });
});
