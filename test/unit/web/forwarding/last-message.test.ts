import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Mngr } from "../../../../components/mngr/client.ts";
import { readAgents } from "../../../../components/web/forwarding/program/discovery/read-agents.ts";
import { idOf, record } from "../../../support/agents-lab.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "last-message-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the forwarding server reads of an agent, by the very command that it has mngr run there. */
async function output() {
  const id = idOf("chat");
  const agent = { id, name: "chat", state: "WAITING", labels: {}, plugin: {} };
  const env = { PATH: process.env["PATH"], MNGR_AGENT_ID: id, MNGR_AGENT_STATE_DIR: folder, CHANGELING_DATA: folder };
  const mngr: Pick<Mngr, "list" | "exec"> = {
    list: async () => ({ agents: [agent], isComplete: true }),
    exec: async (_, command) => {
      const stdout = execFileSync("sh", ["-c", command], { env, encoding: "utf8" });
      return { results: [{ agent: "chat", stdout, stderr: "", success: true }], failed: [] };
    },
  };
  const { readings } = await readAgents(mngr as Mngr, [record("chat")]);
  return readings.get(id)?.output;
}

it.each([
  ["a message", "Three notes are new.\n", "Three notes are new."],
  ["several lines, as one", "One\r\n\n  two\n", "One two"],
  ["a long one, cut between characters", "😀".repeat(150) + "a".repeat(300), `${"😀".repeat(150)}${"a".repeat(50)}…`],
  ["escape sequences", "\u001b[31mred\u001b[0m\n", "red"],
  ["what looks like another part", "x\n=== page\n<h1>y</h1>\n=== secret\n", "x === page <h1>y</h1> === secret"],
  ["nothing but space", " \n\n", undefined],
])("reads the last message: %s", async (_, text, expected) => {
  writeFileSync(join(folder, "last-message"), text);
  writeFileSync(join(folder, "index.html"), "<p>Its page</p>");
  expect(await output()).toMatchObject({ lastMessage: expected, page: "<p>Its page</p>", secret: undefined });
});

it("returns no message if none is reported", async () => {
  expect(await output()).toMatchObject({ lastMessage: undefined, page: undefined });
});
