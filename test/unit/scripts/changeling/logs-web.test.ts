import { describe, expect, it } from "vitest";
import { type Agent, MngrError } from "../../../../components/mngr/client.ts";
import type { WebRecord } from "../../../../components/web/agent/record.ts";
import { type LogSource, webLog } from "../../../../components/web/inspect/logs.ts";

const agentId = `agent-${"a".repeat(32)}`;
const record: WebRecord = {
  ...{ version: 1, name: "chat", agentName: "chat", agentId, provider: "local", repo: "/repo", data: "/data" },
};
const raw = "Agent 'chat' has no tmux session 'mngr-chat'";

/** mngr on a machine whose agent is in this state, or has none. @param last what its terminal held when it ended */
function mngr(state: string | undefined, last = ""): LogSource {
  const agent: Agent = { id: agentId, name: "chat", state: state ?? "", labels: {}, plugin: {} };
  return {
    transcript: async () => "",
    capture: async (_agent, hasEnded) => {
      if (hasEnded) return last;
      throw new MngrError(raw);
    },
    list: async () => ({ agents: state === undefined ? [] : [agent], isComplete: true }),
  };
}

describe("the log of a web changeling that shows nothing", () => {
  it.each([
    ["STOPPED", "chat is stopped, so there is no terminal to show; start it with: changeling start chat\n"],
    ["DONE", "chat's process ended and left no output; start it with: changeling start chat\n"],
    [undefined, "mngr no longer has the agent of chat; recreate it with: pulumi up\n"],
  ])("is an error in plain words when it is %s", async (state, words) => {
    await expect(webLog(record, mngr(state))).rejects.toThrow(`${words}its data is in /data, its repo in /repo`);
    await expect(webLog(record, mngr(state))).rejects.not.toThrow(raw);
  });

  it("is what its terminal held when its process ended", async () => {
    expect(await webLog(record, mngr("DONE", "Traceback\n"))).toBe("Traceback");
  });

  it("has mngr's reason where the state explains nothing", async () => {
    await expect(webLog(record, mngr("RUNNING"))).rejects.toThrow(
      `the log of chat can't be read: ${raw}\nsee: changeling doctor`,
    );
  });
});
