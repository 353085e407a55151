import { describe, expect, it } from "vitest";
import {
  type Ending,
  type RunResult,
  resultOf,
  warningOfUncommitted,
} from "../../../../components/cron/local/runs/outcome.ts";
import { Settling } from "../../../../components/cron/local/runs/settling.ts";
import type { Agent } from "../../../../components/mngr/client.ts";

const commit = { hash: "aed55b4", subject: "Fix it" };
const nothing = { commits: [], isChanged: false, uncommitted: [], worktree: "/w", timeoutSeconds: 60 };

describe("resultOf", () => {
  const noCommit = { outcome: "no_changes", reason: "it made no commit" } as const;
  const success = { outcome: "succeeded", reason: undefined } as const;
  const cases: [Ending, RunResult, RunResult][] = [
    [{ kind: "exited", exitCode: 0 }, noCommit, success],
    [{ kind: "done" }, noCommit, success],
    [{ kind: "settled" }, noCommit, success],
    ...(
      [
        [{ kind: "exited", exitCode: 3 }, "its command ended with exit status 3"],
        [{ kind: "blocked" }, "it was waiting for a permission that nobody could give"],
        [{ kind: "died" }, "its agent's process ended, although a conversation never ends by itself"],
        [{ kind: "vanished" }, "its command was killed, or its terminal was closed"],
        [{ kind: "stopped" }, "its agent was stopped by somebody else, or this machine was restarted"],
        [{ kind: "destroyed" }, "its agent was destroyed by somebody else"],
        [{ kind: "interrupted", reason: "its changeling was removed" }, "its changeling was removed"],
      ] as const
    ).map(([ending, reason]): [Ending, RunResult, RunResult] => [
      ending,
      { outcome: "failed", reason },
      { outcome: "failed", reason },
    ]),
    [
      { kind: "timed_out" },
      { outcome: "timed_out", reason: "it did not finish within its 60 s, and was stopped" },
      { outcome: "timed_out", reason: "it did not finish within its 60 s, and was stopped" },
    ],
  ];

  it.each(cases)("%j, without and with a commit", (ending, without, withCommit) => {
    expect(resultOf(ending, nothing)).toEqual(without);
    expect(resultOf(ending, { ...nothing, commits: [commit], isChanged: true })).toEqual(withCommit);
  });

  it("commits that change nothing are no changes", () => {
    const of = (count: number) =>
      resultOf({ kind: "settled" }, { ...nothing, commits: Array.from({ length: count }, () => commit) });
    expect(of(1)).toEqual({ outcome: "no_changes", reason: "its commit changes nothing" });
    expect(of(2)).toEqual({ outcome: "no_changes", reason: "its 2 commits change nothing" });
  });

  it("an error of the model's API is a failure, not a lack of work", () => {
    const ended = (isAboutKey: boolean, isChanged: boolean) =>
      resultOf({ kind: "settled" }, { ...nothing, isChanged, apiFailure: { isAboutKey, text: "Invalid API key" } });
    expect(ended(false, false)).toEqual({ outcome: "failed", reason: "the model's API failed: Invalid API key" });
    expect(ended(true, false).reason).toBe(
      "the model's API rejects its key (Invalid API key): export a valid ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN where you run pulumi up, and run that",
    );
    expect(ended(true, true)).toEqual({ outcome: "succeeded", reason: undefined });
  });

  it("names what was not committed: as the reason, or as a warning beside a commit", () => {
    const left = (...uncommitted: string[]) => ({ ...nothing, uncommitted });
    const reason = (...uncommitted: string[]) => resultOf({ kind: "exited", exitCode: 0 }, left(...uncommitted)).reason;
    expect(reason("a")).toBe("it made no commit, but left changes of 1 file in /w: a");
    expect(reason(..."abcdefg")).toBe("it made no commit, but left changes of 7 files in /w: a, b, c, d, e and 2 more");
    expect(warningOfUncommitted(left("a"))).toBeUndefined();
    expect(warningOfUncommitted({ ...nothing, commits: [commit] })).toBeUndefined();
    expect(warningOfUncommitted({ ...left("a", "b"), commits: [commit] })).toBe(
      "it left changes of 2 files in /w: a, b",
    );
  });
});

describe("Settling", () => {
  const agent: Agent = { id: "agent-1", name: "a", state: "WAITING", labels: {}, plugin: {} };
  const talk = { isConversational: true, isPrinted: false, settleSeconds: 60, leavesExitStatus: false };
  const command = { ...talk, isConversational: false, leavesExitStatus: true };

  /** Shows it one state after the other, 10 s apart, and returns its answers. */
  function answers(expected: typeof talk, ...sightings: (Partial<Agent> | undefined)[]) {
    const settling = new Settling(expected);
    return sightings.map((each, index) => settling.see(each && { ...agent, ...each }, index * 10_000)?.kind);
  }
  const times = <Thing>(count: number, thing: Thing): Thing[] => Array.from({ length: count }, () => thing);

  it("a conversation is done when it has waited for as long as declared", () => {
    const waits = times(7, { state: "WAITING" });
    expect(answers(talk, ...waits)).toEqual([...times(6, undefined), "settled"]);
  });

  it.each([
    { state: "RUNNING" },
    { agent_activity_time: "2026-11-21T05:00:00Z" },
    { user_activity_time: "2026-11-21T05:00:00Z" },
    { plugin: { claude: { waiting_reason: "PERMISSIONS" } } },
  ])("starts waiting again after %j", (change) => {
    const waits = times(6, { state: "WAITING" });
    expect(answers(talk, ...waits, change, ...waits)).toEqual(times(13, undefined));
  });

  it("distinguishes an agent that waits for a permission from one that is done", () => {
    const plugin = { claude: { waiting_reason: "PERMISSIONS" } };
    expect(answers(talk, ...times(7, { plugin })).at(-1)).toBe("blocked");
    expect(answers(talk, ...times(7, { plugin: { claude: { waiting_reason: "END_OF_TURN" } } })).at(-1)).toBe(
      "settled",
    );
  });

  it("a command is never done by waiting", () => {
    expect(answers(command, ...times(20, { state: "WAITING" }))).toEqual(times(20, undefined));
  });

  it.each(["RUNNING", "REPLACED", "UNKNOWN", "RUNNING_UNKNOWN_AGENT_TYPE"])("%s is no end", (state) => {
    expect(answers(talk, ...times(20, { state }))).toEqual(times(20, undefined));
  });

  it("believes in a stopped or a missing agent when it sees it twice", () => {
    expect(
      answers(talk, { state: "STOPPED" }, { state: "RUNNING" }, { state: "STOPPED" }, { state: "STOPPED" }),
    ).toEqual([undefined, undefined, undefined, "stopped"]);
    expect(answers(talk, undefined, undefined)).toEqual([undefined, "destroyed"]);
  });

  it("the process of a conversation that ends has died, unless it was only to be printed", () => {
    expect(answers(talk, { state: "DONE" }, { state: "DONE" })).toEqual([undefined, "died"]);
    expect(answers({ ...talk, isPrinted: true }, { state: "DONE" })).toEqual(["done"]);
  });

  it("DONE is an end; without the exit status of a command, only if it is observed twice", () => {
    expect(answers({ ...command, leavesExitStatus: false }, { state: "DONE" })).toEqual(["done"]);
    expect(answers(command, { state: "DONE" }, { state: "DONE" })).toEqual([undefined, "vanished"]);
  });
});
