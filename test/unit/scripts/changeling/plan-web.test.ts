import { describe, expect, it } from "vitest";
import { settingsToml, webSettings } from "../../../../components/web/settings.ts";
import { planMarkdown } from "../../../../scripts/changeling/plan/markdown.ts";
import { planText } from "../../../../scripts/changeling/plan/text.ts";
import { plannedChanges } from "../../../support/planned-changes.ts";

const chat = {
  NAME: "chat",
  INSTALLATION: "0123456789ab",
  PROVIDER: "local",
  ENABLED: "yes",
  BRANCH: "main",
  AGENT_TYPE: "chat",
  DESTROY_DATA: "no",
  MEMORY_IN_GIT: "no",
  START_TIMEOUT_SECONDS: "60",
  DRIFT: "",
};
const elena = { ...chat, NAME: "elena", SOURCE: "https://example.com/elena", COMMIT: "1".repeat(40) };
const defaults = settingsToml(webSettings.parse({}));

const webCommands = "changelings:web:WebChangeling$command:local:Command::";

function planned(op: string, before?: object, after?: object, urn?: string) {
  const state = (environment: object | undefined) => (environment ? { inputs: { environment } } : {});
  const step = {
    op,
    urn: `urn:pulumi:dev::changelings::${urn ?? `${webCommands}chat-agent`}`,
    oldState: state(before),
    newState: state(after),
  };
  return plannedChanges({ steps: [step] }).map((change) => ({ ...change, nextBefore: [], nextAfter: [] }));
}

describe("the plan of a web changeling", () => {
  it.each(["agent", "agent-docker", "agent-modal"])("knows its agent by the Command chat-%s", (suffix) => {
    const change = planned("update", chat, { ...chat, ENABLED: "no" }, `${webCommands}chat-${suffix}`);
    expect(planText(change)).toBe("chat changes\n  its agent is stopped");
  });

  it.each([
    [
      "a new one from scratch",
      planned("create", undefined, chat),
      "chat is added\n  provider: local\n  agent_type: chat\n  its repository is created from scratch",
    ],
    [
      "a new one from a source, not to be started",
      planned("create", undefined, { ...elena, ENABLED: "no" }),
      `elena is added\n  provider: local\n  source: https://example.com/elena\n  branch: main\n  commit: ${"1".repeat(40)}\n  agent_type: chat\n  it is not started`,
    ],
    [
      "a new commit",
      planned("update", elena, { ...elena, COMMIT: "2".repeat(40) }),
      `elena changes\n  commit: ${"1".repeat(40)} => ${"2".repeat(40)}`,
    ],
    ["stopping it", planned("update", chat, { ...chat, ENABLED: "no" }), "chat changes\n  its agent is stopped"],
    [
      "a setting",
      planned("update", chat, { ...chat, SETTINGS: settingsToml(webSettings.parse({ chat: { model: "m" } })) }),
      'chat changes\n  settings.chat.model: "claude-opus-4-6" => "m"',
    ],
    [
      "settings that are the defaults",
      planned("update", chat, { ...chat, SETTINGS: defaults }),
      "chat changes\n  settings: (none) => the defaults, as a file",
    ],
    ["a new secret value", planned("update", chat, { ...chat }), "chat changes\n  a secret has a new value"],
    ["a drift", planned("update", chat, { ...chat, DRIFT: "its agent died" }), "chat is repaired: its agent died"],
    ["a removal", planned("delete", chat), "chat is removed\n  its data and its repository are kept"],
    [
      "a removal with its data",
      planned("delete", { ...chat, DESTROY_DATA: "yes" }),
      "chat is removed\n  its data and its repository are deleted for good",
    ],
    [
      "the forwarding server",
      planned(
        "update",
        { PORT: "8420" },
        { PORT: "9000" },
        "changelings:web:ForwardingServer$command:local:Command::forwarding",
      ),
      "The forwarding server changes\n  port: 8420 => 9000",
    ],
  ])("reports %s", (_what, changes, text) => {
    expect(planText(changes)).toBe(text);
  });

  it("reads in a comment as well", () => {
    const plan = { changes: planned("delete", chat), errors: [], warnings: [] };
    expect(planMarkdown(plan, { stack: "dev" })).toBe(
      "### Plan for `dev`\n\n**1 is removed.**\n\n#### `chat` is removed\n\nIts data and its repository are kept.\n",
    );
  });
});
