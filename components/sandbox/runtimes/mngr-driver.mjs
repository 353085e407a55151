// @ts-check
// Runs in a sandbox: sends one prompt to an agent of mngr, and prints what the agent does as lines of JSON. It is plain
// JavaScript in one file, because no other file of this project exists there.
//
// An agent of mngr runs in a tmux terminal. When an exec ends, so do all its processes. So each prompt starts the agent
// again, and mngr resumes its conversation from files.
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @typedef {object} Input
 * @property {string} agent `agent-` and 32 hexadecimal digits
 * @property {boolean} create whether the agent is new
 * @property {string} type
 * @property {string[]} args
 * @property {string} repoPath
 * @property {string | null} prompt null: only create the agent
 * @property {number} settleSeconds
 * @property {Claude | null} claude if the agent is Claude Code
 */

/**
 * @typedef {object} Claude
 * @property {string} key
 * @property {string} keyVariable the variable that names the file descriptor with the key
 * @property {string} mcp
 * @property {string} instructions
 */

/** A tmpfs, because the key must not get into a snapshot. */
const run = "/run/changelings";
const hostDir = `${process.env["HOME"]}/.changelings/mngr`;
const pollMs = 250;
/** How many times in a row the agent must seem to have ended: while it starts, a shell runs for short times. */
const endedChecks = 4;

/** @type {Input} */
const input = JSON.parse(readFileSync(0, "utf8"));
const name = `a${input.agent.slice(-32, -20)}`;
const state = `${hostDir}/agents/${input.agent}`;
const transcript = `${state}/logs/claude_transcript/events.jsonl`;

/** @param {object} value */
function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/**
 * @param {string} reason
 * @param {string} [code]
 * @returns {never}
 */
function fail(reason, code = "runtime_failed") {
  print({ type: "failed", code, reason });
  process.exit(1);
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} [stdin]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
function execute(program, args, stdin = "") {
  return new Promise((resolve) => {
    const output = { stdout: "", stderr: "" };
    const child = spawn(program, args, { cwd: input.repoPath, stdio: ["pipe", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      output.stderr += text;
    });
    child.stdin.once("error", () => {}).end(stdin);
    child.once("error", (error) => resolve({ code: 127, stdout: "", stderr: error.message }));
    // Not "close", because tmux may keep the pipes open.
    child.once("exit", (code) => setTimeout(() => resolve({ code: code ?? 1, ...output }), 20));
  });
}

/** @param {readonly string[]} args */
function mngr(args, stdin = "") {
  // Loading the plugins of unused providers takes half of its time.
  return execute("mngr", [...args, "--headless", "--disable-plugin", "modal", "--disable-plugin", "docker"], stdin);
}

/** Finds the reason of a failure in mngr's output. @param {{ stdout: string, stderr: string }} end */
function reasonOf({ stdout, stderr }) {
  const lines = `${stdout}\n${stderr}`.split("\n").map((line) => line.trim());
  for (const line of lines) {
    if (!line.startsWith('{"event": "error"')) continue;
    const { message } = JSON.parse(line);
    if (typeof message === "string") return message;
  }
  const error = lines.find((line) => /^(Error|ERROR)\b/.test(line)) ?? lines.filter(Boolean).at(-1);
  return error?.replace(/^Error: /i, "") ?? "it gave no reason";
}

/**
 * Writes a wrapper of `claude` for mngr to find. It adds the key, ignores the repository's settings (they run programs and
 * send the key elsewhere), and disables questions, which nobody would answer. It passes the key as a file descriptor, so
 * that the programs that the agent starts don't inherit it.
 *
 * @param {Claude} claude
 */
async function wrapClaude(claude) {
  const { stdout } = await execute("sh", ["-c", "command -v claude"]);
  const real = stdout.trim();
  if (real === "") fail("claude is not on the sandbox's PATH");
  mkdirSync(`${run}/bin`, { recursive: true, mode: 0o700 });
  /** @param {string} file @param {string} text */
  const write = (file, text, mode = 0o600) => writeFileSync(`${run}/${file}`, text, { mode });
  write("key", claude.key);
  write("mcp.json", claude.mcp);
  write("CLAUDE.md", claude.instructions);
  const flags = [
    ...["--setting-sources", "user", "--strict-mcp-config", "--dangerously-skip-permissions"],
    "--disallowedTools=AskUserQuestion",
  ];
  const wrapper = `#!/bin/sh
if [ "$1" = --version ]; then exec '${real}' --version; fi
cp ${run}/CLAUDE.md "$CLAUDE_CONFIG_DIR/CLAUDE.md"
exec 3<${run}/key
export ${claude.keyVariable}=3
exec '${real}' ${flags.join(" ")} "$@" --mcp-config ${run}/mcp.json
`;
  write("bin/claude", wrapper, 0o755);
  process.env["PATH"] = `${run}/bin:${process.env["PATH"]}`;
}

/** A line that the terminal shows above the program's output. */
const mark = "-- changelings --";
/** `cat` keeps typed text from the shell after the program has ended. */
const program = `stty -echo; echo '${mark}'; rm -f ${run}/ended; "$@"; echo $? >${run}/ended; exec cat >/dev/null`;

async function create() {
  const args = input.claude === null ? ["sh", "-c", program, "sh", ...input.args] : input.args;
  const end = await mngr([
    ...["create", `${name}@localhost.local`, "--id", input.agent, "--type", input.type],
    // In the clone itself: the session's branch, diff and commits are those of this checkout.
    ...["--from", `:${input.repoPath}`, "--transfer", "none", "--no-ensure-clean"],
    ...["--no-connect", "--yes", "--format", "jsonl"],
    ...(input.claude === null
      ? []
      : ["--setting", `agent_types.${input.type}.settings_overrides.skipDangerousModePermissionPrompt=true`]),
    ...(args.length === 0 ? [] : ["--", ...args]),
  ]);
  if (end.code !== 0) fail(`mngr create failed: ${reasonOf(end)}`);
}

/** Prints what is appended to the transcript of Claude Code, which mngr collects. */
class Transcript {
  // Skips earlier prompts.
  #offset = statSync(transcript, { throwIfNoEntry: false })?.size ?? 0;
  #rest = "";
  #decoder = new TextDecoder();

  read() {
    if ((statSync(transcript, { throwIfNoEntry: false })?.size ?? 0) <= this.#offset) return;
    const file = openSync(transcript, "r");
    const buffer = Buffer.alloc(1024 * 1024);
    for (;;) {
      const length = readSync(file, buffer, 0, buffer.length, this.#offset);
      if (length === 0) break;
      this.#offset += length;
      this.#rest += this.#decoder.decode(buffer.subarray(0, length), { stream: true });
    }
    closeSync(file);
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#print(line);
  }

  /** @param {string} line */
  #print(line) {
    try {
      const record = JSON.parse(line);
      // Other records repeat whole requests to the API.
      if (record.type === "user" || record.type === "assistant") print({ type: "claude", record });
    } catch {
      // Not a record.
    }
  }
}

const session = `=mngr-${name}:`;

/** Whether the agent's program has ended: then its terminal is closed, or shows the shell that started it. */
async function hasEnded() {
  const format = "#{pane_dead} #{pane_current_command}";
  const { code, stdout } = await execute("tmux", ["list-panes", "-t", session, "-F", format]);
  return code !== 0 || /^(1|0 (ba|z|da)?sh$)/m.test(stdout);
}

/** @param {string} prompt */
async function send(prompt) {
  const end = await mngr(["message", `${name}@localhost.local`, "--start", "--format", "json"], prompt);
  if (end.code === 0) return;
  const [failed] = /** @type {unknown[][]} */ (resultOf(end.stdout)["failed_agents"] ?? []);
  fail(`mngr message failed: ${failed?.[1] ?? reasonOf(end)}`);
}

/** @param {string} text @returns {Record<string, any>} */
function resultOf(text) {
  try {
    return JSON.parse(text.trim().split("\n").at(-1) ?? "");
  } catch {
    return {};
  }
}

/** Waits until Claude Code has worked and waits for the next prompt. @param {string} prompt */
async function askClaude(prompt) {
  const records = new Transcript();
  const beganAt = Date.now();
  let isSent = false;
  const sending = send(prompt).then(() => {
    isSent = true;
    // Claude Code has read it.
    rmSync(`${run}/key`);
  });
  let hasWorked = false;
  let quietSince = beganAt;
  const seen = { blocked: 0, ended: 0 };
  for (let count = 0; ; count += 1) {
    records.read();
    const now = Date.now();
    const isActive = existsSync(`${state}/active`);
    // When the agent starts, it removes the marker of a cancelled prompt.
    hasWorked ||= isSent && (isActive || changedAt("idle_since") > beganAt);
    if (isActive || !hasWorked) quietSince = now;
    if (hasWorked && now - quietSince >= input.settleSeconds * 1000) break;
    seen.blocked = existsSync(`${state}/permissions_waiting`) ? seen.blocked + 1 : 0;
    if (seen.blocked >= 20) fail("the agent waits for a permission, which nobody can give here");
    if (isSent && count % 4 === 0) seen.ended = (await hasEnded()) ? seen.ended + 1 : 0;
    if (seen.ended >= endedChecks) fail("the agent's program ended");
    await sleep(pollMs);
  }
  await sending;
  records.read();
}

/** @param {string} file */
function changedAt(file) {
  return statSync(`${state}/${file}`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * The answer of any other program is the text in its terminal, once that stops changing. The program has just been started.
 *
 * @param {string} prompt
 */
async function askProgram(prompt) {
  await send(prompt);
  let shown = "";
  let quietSince = Date.now();
  for (;;) {
    const { stdout } = await execute("tmux", ["capture-pane", "-p", "-J", "-S", "-", "-t", session]);
    const now = Date.now();
    if (stdout !== shown) {
      shown = stdout;
      quietSince = now;
      print({ type: "terminal" });
    }
    if (now - quietSince >= (existsSync(`${run}/ended`) ? 500 : input.settleSeconds * 1000)) break;
    await sleep(pollMs);
  }
  const lines = shown.split("\n").map((line) => line.trimEnd());
  const text = lines.slice(lines.indexOf(mark) + 1).join("\n");
  print({ type: "answer", text: text.trim() });
}

Object.assign(process.env, {
  MNGR_HOST_DIR: hostDir,
  // Ignores the repository's `.mngr`.
  MNGR_PROJECT_CONFIG_DIR: `${run}/no-project`,
  // A busy machine takes longer than the 10 seconds of the default.
  MNGR__AGENT_READY_TIMEOUT: "60",
  TMUX_TMPDIR: run,
  // There are no other hooks to wait for.
  HOOK_GRACE_PERIOD: "0",
});
mkdirSync(run, { recursive: true, mode: 0o700 });
if (!input.create && !existsSync(`${state}/data.json`)) {
  process.stderr.write("the agent is not in this sandbox\n");
  process.exit(3);
}
if (input.claude !== null) await wrapClaude(input.claude);
if (input.create) await create();
print({ type: "agent", agent: input.agent, at: new Date().toISOString() });
if (input.prompt !== null) {
  if (input.claude === null) await askProgram(input.prompt);
  else await askClaude(input.prompt);
}
print({ type: "end" });
// Ends the exec's other processes too, such as tmux.
process.exit(0);
