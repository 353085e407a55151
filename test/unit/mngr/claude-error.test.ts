import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { approveKeyCommand } from "../../../components/mngr/approve-key.ts";
import { apiFailureOf } from "../../../components/mngr/claude-error.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claude-error-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const said = (text: string, more = {}) => ({
  type: "assistant",
  message: { content: [{ type: "text", text }] },
  ...more,
});
const rejected = said("Invalid API key ·\u001b[31m Fix\n it", {
  isApiErrorMessage: true,
  error: "authentication_failed",
});
const overloaded = said("Overloaded", { isApiErrorMessage: true, error: "server_error" });
const asked = { type: "user", message: { content: "Go on" } };

function failure(...lines: readonly unknown[]) {
  const path = join(folder, "agents/agent-1/logs/claude_transcript/events.jsonl");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return apiFailureOf(folder, "agent-1");
}

it("reads the error with which a conversation ended", () => {
  const words = { isAboutKey: true, text: "Invalid API key · Fix it" };
  expect(failure(asked, said("Hello"), rejected, { type: "system", subtype: "x" }, "{ cut")).toEqual(words);
  expect(failure(overloaded)).toEqual({ isAboutKey: false, text: "Overloaded" });
  expect(failure(said("x".repeat(2_000_000)), overloaded)?.text).toBe("Overloaded");
});

it("sees none in a conversation that went on, in another agent's part of it, and where there is none", () => {
  expect(failure(rejected, asked, said("Done"))).toBeUndefined();
  expect(failure(said("Done"), { ...rejected, isSidechain: true })).toBeUndefined();
  expect(failure("", "null", "3")).toBeUndefined();
  expect(apiFailureOf(folder, "agent-2")).toBeUndefined();
});

/** Runs the command as mngr does. @returns the configuration afterwards */
function approved(env: Readonly<Record<string, string>>, config: string): unknown {
  const path = join(folder, "claude", ".claude.json");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, config);
  const always = { PATH: `${process.env["PATH"]}`, CLAUDE_CONFIG_DIR: dirname(path), MNGR_AGENT_STATE_DIR: folder };
  execFileSync("sh", ["-c", approveKeyCommand], { env: { ...always, ...env }, stdio: "pipe" });
  return JSON.parse(readFileSync(path, "utf8"));
}

it("has Claude Code accept the key of the environment, in the agent's own configuration alone", () => {
  const key = "sk-ant-'$HOME\"`-0123456789abcdef";
  const before = { theme: "dark", customApiKeyResponses: { approved: ["old"], rejected: [key.slice(-20)] } };
  const after = { approved: ["old", key.slice(-20)], rejected: [] };
  expect(approved({ ANTHROPIC_API_KEY: key }, JSON.stringify(before))).toEqual({
    theme: "dark",
    customApiKeyResponses: after,
  });
  expect(statSync(join(folder, "claude", ".claude.json")).mode & 0o077).toBe(0);
  expect(approved({ ANTHROPIC_API_KEY: "short" }, "{}")).toEqual({
    customApiKeyResponses: { approved: ["short"], rejected: [] },
  });
  for (const env of [{}, { ANTHROPIC_API_KEY: "" }, { ANTHROPIC_API_KEY: key, MNGR_AGENT_STATE_DIR: "/other" }])
    expect(approved(env, '{"theme":"dark"}')).toEqual({ theme: "dark" });
});

it("is the same for agents on Modal", () => {
  const program = join(import.meta.dirname, "../../../components/cron/modal/program");
  const code = "import mngr_arguments; print(mngr_arguments.APPROVE_KEY, end='')";
  const env = { PATH: `${process.env["PATH"]}`, PYTHONPATH: program, PYTHONDONTWRITEBYTECODE: "1" };
  expect(execFileSync("python3", ["-c", code], { env, encoding: "utf8" })).toBe(approveKeyCommand);
});
