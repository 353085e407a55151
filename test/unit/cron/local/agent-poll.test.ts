import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JobSpec } from "../../../../components/cron/local/job.ts";
import { AgentPoll } from "../../../../components/cron/local/runs/agent-poll.ts";
import { pollPeriod } from "../../../../components/cron/local/runs/watch-agent.ts";
import { type Mngr, mngrClient } from "../../../../components/mngr/client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function spec(agent: Partial<JobSpec["agent"]>): JobSpec {
  return {
    ...{ name: "job", enabled: true, schedule: "0 3 * * *", timezone: "UTC", catchUp: true, overlap: "skip" },
    ...{ timeoutSeconds: 3600, settleSeconds: 60, keepRuns: 5, repo: "/repo", branch: "main" },
    agent: { type: "mine", mngrType: "mine", isConversational: false, args: [], buildArgs: [], env: {}, ...agent },
  };
}

/** When mngr is asked for an agent's state within an hour, in seconds since its start. */
async function pollTimes(job: JobSpec): Promise<number[]> {
  const start = Date.now();
  const polls: number[] = [];
  const mngr: Mngr = {
    ...mngrClient({}),
    list: async () => {
      polls.push((Date.now() - start) / 1000);
      return { agents: [], isComplete: true };
    },
  };
  const end = new AgentPoll(() => {}).listen(
    mngr,
    (listeningMs) => pollPeriod(job, listeningMs),
    () => {},
  );
  await vi.advanceTimersByTimeAsync(3_600_000);
  end();
  return polls;
}

describe("mngr is asked", () => {
  it("soon for a custom command type, which reports no end, and rarely later", async () => {
    const polls = await pollTimes(spec({}));
    expect(polls.slice(0, 3)).toEqual([2, 4, 6]);
    // No end is seen later than by a third of the run's time, or half a minute.
    for (const [index, look] of polls.entries()) {
      const before = polls[index - 1] ?? 0;
      expect(look - before).toBeLessThan(Math.max(2, Math.min(30, look / 3)) + 0.01);
    }
    expect(polls.length).toBeLessThan(135);
  });

  it("every half a minute for a command, which leaves a file at its end", async () => {
    const polls = await pollTimes(spec({ type: "command", mngrType: "command" }));
    expect([polls[0], polls.length]).toEqual([30, 120]);
  });

  it("every few seconds for a conversation", async () => {
    expect((await pollTimes(spec({ type: "claude", mngrType: "claude", isConversational: true })))[0]).toBe(9);
  });
});
