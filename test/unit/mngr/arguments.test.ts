import { describe, expect, it } from "vitest";
import {
  captureArguments,
  createArguments,
  destroyArguments,
  listArguments,
  provisionArguments,
  renameArguments,
  stopArguments,
  transcriptArguments,
  versionArguments,
} from "../../../components/mngr/arguments.ts";

const least = {
  agent: "todo-2026-11-21-05-00-00",
  type: "command",
  base: "main",
  branch: "changelings/todo-2026-11-21-05-00-00",
  labels: { CREATOR: "changeling", changeling: "todo" },
  envFile: "/env/file",
  buildArgs: [],
  agentArgs: [],
};

describe("createArguments", () => {
  it("creates an agent in a separate worktree, in the background, and prints JSON lines", () => {
    expect(createArguments(least)).toEqual([
      ...["create", "todo-2026-11-21-05-00-00", "--type", "command"],
      ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
      ...["--label", "CREATOR=changeling", "--label", "changeling=todo"],
      ...["--branch", "main:changelings/todo-2026-11-21-05-00-00"],
      ...["--env-file", "/env/file"],
    ]);
  });

  it("adds what else is declared, the agent's own arguments last", () => {
    const options = {
      ...least,
      messageFile: "/a/prompt.md",
      template: "entrypoint",
      settings: ["agent_types.claude.x=1", "agent_types.claude.y=2"],
      buildArgs: ["cpu=2", "memory=4"],
      agentArgs: ["/bin/sh", "-c", "echo a; sleep 2"],
    };
    expect(createArguments(options).slice(createArguments(least).length)).toEqual([
      ...["--template", "entrypoint", "--message-file", "/a/prompt.md"],
      ...["--setting", "agent_types.claude.x=1", "--setting", "agent_types.claude.y=2"],
      ...["--build-arg", "cpu=2", "--build-arg", "memory=4"],
      ...["--", "/bin/sh", "-c", "echo a; sleep 2"],
    ]);
  });
});

describe("provisionArguments", () => {
  const web = {
    agent: "elena",
    id: "agent-1",
    folder: "/agent",
    template: undefined,
    type: undefined,
    labels: { changeling: "elena" },
    envFile: "/dev/fd/3",
    prepare: "true",
    buildArgs: [],
    agentArgs: [],
  };

  it("creates the agent in its own folder, whatever that contains, and updates an existing one", () => {
    expect(provisionArguments(web)).toEqual([
      ...["create", "elena@localhost.local", "--id", "agent-1"],
      ...["--from", ":/agent", "--reuse", "--update", "--transfer", "none", "--no-ensure-clean"],
      ...["--no-connect", "--headless", "--yes", "--format", "jsonl", "--label", "changeling=elena"],
      ...["--env-file", "/dev/fd/3", "--extra-provision-command", "true"],
    ]);
  });

  it("adds what else is declared, the agent's own arguments last", () => {
    const options = { ...web, template: "entrypoint", type: "chat", buildArgs: ["cpu=2"], agentArgs: ["--port", "0"] };
    const args = provisionArguments(options);
    expect(args.filter((arg) => !provisionArguments(web).includes(arg))).toEqual([
      ...["--template", "entrypoint", "--type", "chat", "--build-arg", "cpu=2", "--", "--port", "0"],
    ]);
  });
});

it("names the host in every address, so that an unreachable provider has no say", () => {
  expect(stopArguments("agent-1")).toEqual(["stop", "agent-1@localhost.local", "--format", "json", "--headless"]);
  expect(destroyArguments(["agent-1", "b"])).toEqual([
    ...["destroy", "agent-1@localhost.local", "b@localhost.local"],
    ...["--force", "--format", "json", "--headless"],
  ]);
  expect(captureArguments("a")).toEqual(["capture", "a@localhost.local", "--full", "--no-start", "--headless"]);
  expect(captureArguments("a", true)).toEqual(["capture", "a@localhost.local", "--full", "--start", "--headless"]);
  expect(renameArguments("a", "b")).toEqual([
    ...["rename", "a@localhost.local", "b", "--format", "json", "--headless"],
  ]);
  expect(transcriptArguments("a")).toEqual(["transcript", "a@localhost.local", "--full", "--headless"]);
});

it("looks at this machine alone", () => {
  expect(listArguments()).toEqual(["list", "--provider", "local", "--format", "json", "--headless"]);
  expect(versionArguments()).toEqual(["--version"]);
});
