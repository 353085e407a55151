import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { allowedEnvironment } from "../../../components/lib/environment.ts";
import { createdFrom, errorLine, reasonOf } from "../../../components/mngr/output.ts";
import { mngrEnvironment } from "../../../components/mngr/profile.ts";
import { noProjectFolder } from "../../../components/mngr/project-folder.ts";

describe("createdFrom", () => {
  const progress = '{"event": "progress", "kind": "started", "step": "preparing", "label": "Preparing"}\n';

  it("returns the new agent's id", () => {
    const created = '{"event": "created", "agent_id": "agent-1", "host_id": "host-1", "host_name": "localhost"}\n';
    expect(createdFrom(progress + created)).toEqual({ kind: "created", agentId: "agent-1", hostId: "host-1" });
  });

  it("returns the error", () => {
    const error = '{"event": "error", "error_class": "DuplicateAgentNameError", "message": "it exists"}\n';
    const failed = { kind: "error", errorClass: "DuplicateAgentNameError", message: "it exists" };
    expect(createdFrom(progress + error)).toEqual(failed);
  });

  it.each(["", progress, `${progress}{"event": "crea`, "[1]\nnull\n"])("has nothing to tell of %j", (stdout) => {
    expect(createdFrom(stdout)).toBeUndefined();
  });
});

it("errorLine picks mngr's own words out of its stderr", () => {
  expect(errorLine("Creating agent state...\nError: Unknown agent type 'x'.\n\nsee help\n")).toBe(
    "Unknown agent type 'x'.",
  );
  expect(errorLine("Traceback\nValueError: bad\n")).toBe("ValueError: bad");
  const broken = "Traceback\n  in x\nProcessError: code 128\noutput:\nfatal: no work tree\n    +-------\n";
  expect(errorLine(broken)).toBe("fatal: no work tree");
  expect(errorLine("ValueError: bad\n  +------\n")).toBe("ValueError: bad");
  expect(errorLine("\n")).toBe("no message");
});

it.each([
  ["Unknown agent type 'x'.\n\nsee help", "Unknown agent type 'x'."],
  [
    "Failed to create git worktree: Preparing worktree (new branch 'x')\nfatal: not a valid object name: 'nope'\n",
    "Failed to create git worktree: fatal: not a valid object name: 'nope'",
  ],
  [
    "Failed to create git worktree: Preparing worktree (new branch 'x')\nerror: external filter 'lfs' failed\nfatal: a.bin: smudge filter lfs failed\n",
    "Failed to create git worktree: fatal: a.bin: smudge filter lfs failed",
  ],
  [
    "Failed to create git worktree: Preparing worktree (new branch 'x')\nHEAD is now at 1234567 First\nthe hook says no\n",
    "Failed to create git worktree: the hook says no",
  ],
  ["Preparing worktree (new branch 'x')", "Preparing worktree (new branch 'x')"],
  ["", "no message"],
])("reasonOf has the reason in %j", (message, reason) => {
  expect(reasonOf(message)).toBe(reason);
  expect(errorLine(`starting\nError: ${message}`)).toBe(reason);
});

describe("the environment of mngr", () => {
  const env = {
    PATH: "/bin",
    HOME: "/home/me",
    https_proxy: "http://proxy",
    MNGR_HOST_DIR: "/mngr",
    MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
    MNGR__PROVIDERS__MODAL__TOKEN_SECRET: "hush",
    MNGR_AGENT_ID: "agent-of-whoever-started-us",
    TMUX: "/tmp/tmux,1,0",
    ANTHROPIC_API_KEY: "hush",
    PULUMI_CONFIG_PASSPHRASE: "hush",
    EMPTY: undefined,
  };

  it("is what programs need to run, and nobody's secrets", () => {
    expect(allowedEnvironment(env)).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      https_proxy: "http://proxy",
      MNGR_HOST_DIR: "/mngr",
      MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
    });
  });

  it("says that nobody is there to answer, and where a profile puts the agents", () => {
    expect(mngrEnvironment({ PATH: "/bin", MNGR_HOST_DIR: "/mngr" }, "/aside")).toEqual({
      PATH: "/bin",
      MNGR_HEADLESS: "1",
      MNGR_HOST_DIR: "/aside",
      MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
    });
    expect(existsSync(noProjectFolder)).toBe(false);
    expect(mngrEnvironment({ MNGR_PROJECT_CONFIG_DIR: "/mine" })).toMatchObject({ MNGR_PROJECT_CONFIG_DIR: "/mine" });
  });
});
