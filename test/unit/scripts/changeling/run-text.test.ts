import { describe, expect, it } from "vitest";
import type { Run } from "../../../../components/cron/run-records.ts";
import { runInWords, runReport } from "../../../../components/cron/run-text.ts";
import { runsText } from "../../../../scripts/changeling/cron/runs.ts";

const id = "fairy-2026-11-21-05-00-00";
const run: Run = {
  id,
  changeling: "fairy",
  cause: { kind: "manual" },
  firedAt: "2026-11-21T05:00:00.000Z",
  endedAt: "2026-11-21T05:01:30.000Z",
  durationSeconds: 90,
  agentId: "agent-1",
  branch: `changelings/${id}`,
  repo: "https://example.com/app.git",
  commits: [{ hash: "0123456789abcdef", subject: "Fix one" }],
  branches: [],
  warnings: [],
  outcome: "succeeded",
  reason: undefined,
};

const show = (given: Partial<Run>) => /show {5}(.*)/.exec(runReport({ ...run, ...given }))?.[1];

describe("runReport", () => {
  it("says how to see what was committed, here or at the remote", () => {
    expect(runReport(run).split("\n")).toEqual([
      `${id} succeeded after 1 min 30 s`,
      `  branch   changelings/${id}`,
      "  commit   0123456789 Fix one",
      "  in       https://example.com/app.git",
      `  show     git fetch https://example.com/app.git changelings/${id} && git show FETCH_HEAD`,
    ]);
    expect(show({ repo: "/home/me/app" })).toBe(`git -C /home/me/app show changelings/${id}`);
    expect(show({ commits: [] })).toBeUndefined();
  });

  it("says where commits are that are not on the run's branch, and what to be warned of", () => {
    const branches = [{ name: "fix/$(id)", commits: 1 }];
    const warned = { ...run, repo: "/home/me/my app", branches, warnings: ["main was moved"] };
    expect(runReport(warned).split("\n").slice(2)).toEqual([
      "  on       fix/$(id): 1 commit",
      "  commit   0123456789 Fix one",
      "  in       /home/me/my app",
      "  show     git -C '/home/me/my app' show 'fix/$(id)'",
      "  warning  main was moved",
    ]);
    expect(runInWords(warned, new Date(`${run.endedAt}`))).toBe("succeeded just now: 1 commit (1 warning)");
    expect(runsText([warned])).toContain("Fix one; warning: main was moved");
    const cause = { kind: "schedule", due: "2026-11-21T05:00:00Z" } as const;
    const waits = { changeling: "fairy", cause, since: "2026-11-21T05:00:00Z" };
    const text = runsText([], [waits], new Date("2026-11-21T05:02:05Z"));
    expect(text).toMatch(/fairy +schedule +waiting +2 min 5 s +for other runs to end/);
  });

  it.each([
    ["a repository", { repo: "https://example.com/app.git; rm -rf ~" }],
    ["a repository's substitution", { repo: "https://example.com/$(id).git" }],
    ["a branch", { branch: "main && curl example.com" }],
    ["a branch that is an option", { branch: "--upload-pack=x" }],
  ])("offers no command with what an agent may have written as %s", (_what, given) => {
    expect(show(given)).toBeUndefined();
  });
});
