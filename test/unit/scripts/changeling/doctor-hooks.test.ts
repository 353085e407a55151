import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { changelingOf } from "../../../../components/cron/from-program.ts";
import { hookChecks, missingProgram } from "../../../../components/cron/inspect/hooks.ts";
import { Repository } from "../../../support/repository.ts";

const made: Repository[] = [];
afterAll(() => {
  for (const each of made) each[Symbol.dispose]();
});

function repository(hook?: string, { at = ".git/hooks", mode = 0o755 } = {}): Repository {
  const repo = new Repository();
  made.push(repo);
  repo.commit({ "README.md": "one\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
  const folder = join(repo.folder, at);
  mkdirSync(folder, { recursive: true });
  if (hook !== undefined) writeFileSync(join(folder, "post-checkout"), hook, { mode });
  return repo;
}

const checksOf = (repo: Repository, deep: boolean) => {
  const options = { repo: repo.folder, branch: "main", timezone: "UTC", agentType: "command", agentArgs: ["true"] };
  return hookChecks({ changelings: [changelingOf("troll", options)] }, { deep });
};
const failing = "#!/bin/sh\necho the toolchain is missing >&2\nexit 3\n";

it("doctor --deep tries the hook that a run's work tree is made with, and leaves nothing behind", async () => {
  const repo = repository(failing);
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("changelings-hook-"));
  expect(await checksOf(repo, true)).toEqual([
    {
      name: `hook of ${repo.folder}`,
      status: "failed",
      detail: "no run of troll would start: its post-checkout hook fails in a new worktree: the toolchain is missing",
      remedy: `see ${join(repo.folder, ".git/hooks/post-checkout")}`,
    },
  ]);
  expect(repo.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(repo.git("branch", "--list").split("\n")).toHaveLength(1);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("changelings-hook-"))).toEqual(before);
});

it.each([
  ["a hook that works", repository("#!/bin/sh\nexit 0\n"), "ok"],
  ["a hook elsewhere, by core.hooksPath", hookedElsewhere(), "failed"],
  ["no hook", repository(), undefined],
  ["a file that git does not run", repository(failing, { mode: 0o644 }), undefined],
])("doctor --deep: %s", async (_, repo, expected) => {
  expect((await checksOf(repo, true)).map(({ status }) => status)).toEqual(expected === undefined ? [] : [expected]);
});

function hookedElsewhere(): Repository {
  const repo = repository(failing, { at: "../hooks" });
  repo.git("config", "core.hooksPath", join(repo.folder, "../hooks"));
  return repo;
}

it("doctor runs no hook, and names the command that does", async () => {
  const ran = join(mkdtempSync(join(tmpdir(), "hook-ran-")), "ran");
  const repo = repository(`#!/bin/sh\ntouch ${ran}\nexit 3\n`);
  expect(await checksOf(repo, false)).toMatchObject([
    { status: "ok", detail: expect.stringContaining("doctor --deep") },
  ]);
  expect(() => execFileSync("test", ["-e", ran])).toThrow();
  rmSync(join(ran, ".."), { recursive: true });
});

it.each([
  ["#!/nowhere/bin/ruby\n", "/nowhere/bin/ruby"],
  ["#!/usr/bin/env no-such-program\n", "no-such-program"],
  ['#!/bin/sh\ncommand -v git-lfs >/dev/null || exit 2\ngit lfs post-checkout "$@"\n', "git-lfs"],
  ["#!/bin/sh\n# git lfs was here\nexit 0\n", undefined],
  ["#!/usr/bin/env -S sh -e\n", undefined],
])("what a hook needs: %j", (text, expected) => {
  const folder = mkdtempSync(join(tmpdir(), "hook-text-"));
  try {
    writeFileSync(join(folder, "post-checkout"), text);
    expect(missingProgram(join(folder, "post-checkout"), "/nowhere")).toBe(expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
