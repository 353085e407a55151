// @ts-check
import { spawn } from "node:child_process";

/**
 * @typedef {import("./config.mjs").Config} Config
 * @typedef {import("./journal.mjs").Message} Message
 * @typedef {import("./conversation.mjs").Responder} Responder
 */

/** Longer answers are truncated (UTF-16 units). */
const MOST = 100_000;
/** What an unattended claude may do besides editing files in its folder. */
const CLAUDE_TOOLS = ["status", "diff", "log", "add", "commit"].map((command) => `Bash(git ${command}:*)`).join(",");

/** @param {Config} config @param {string} repo the folder that programs run in @param {AbortSignal} stopping @returns {Responder} */
export function createResponder(config, repo, stopping) {
  const { responder, responderArgs: args, settings } = config;
  if (responder === "echo") return async ({ text }) => `You said: ${text}`;
  const answer = (/** @type {Run} */ run) => runToEnd(run, { repo, stopping, timeoutSeconds: config.timeoutSeconds });
  if (responder !== "claude") return ({ text }) => answer({ program: responder, args, input: text });
  const claude = ["-p", "--model", settings.model, "--output-format", "text"];
  claude.push("--permission-mode", "acceptEdits", "--allowedTools", CLAUDE_TOOLS, ...args);
  return (message, context) => {
    const input = promptOf(message, context, settings.contextLength);
    return answer({ program: "claude", args: claude, input });
  };
}

/**
 * Builds the prompt: the new message, below the ones before it.
 * @param {Message} message @param {readonly Message[]} context @param {number} length characters of each
 */
export function promptOf({ text }, context, length) {
  if (context.length === 0) return text;
  const earlier = context.map(({ from, text: said }) => {
    const characters = [...said];
    const cut = characters.length > length ? `${characters.slice(0, length).join("")}…` : said;
    return `${from === "person" ? "Person" : "You"}: ${cut}`;
  });
  return [
    "The conversation before, oldest first, long messages cut:",
    "",
    ...earlier,
    "",
    "The person's new message, which you answer:",
    "",
    text,
  ].join("\n");
}

/** @typedef {{ program: string, args: readonly string[], input: string }} Run */

/**
 * @param {Run} run
 * @param {{ repo: string, stopping: AbortSignal, timeoutSeconds: number }} options
 * @returns {Promise<string>} what it printed
 */
function runToEnd({ program, args, input }, { repo, stopping, timeoutSeconds }) {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that its descendants can be killed with it.
    const child = spawn(program, args, { cwd: repo, detached: true, stdio: ["pipe", "pipe", "pipe"] });
    let answer = "";
    let complaint = "";
    let isLate = false;
    const kill = () => child.pid !== undefined && killGroup(child.pid);
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, timeoutSeconds * 1000);
    stopping.addEventListener("abort", kill, { once: true });
    /** @param {() => void} settle */
    const end = (settle) => {
      clearTimeout(timer);
      stopping.removeEventListener("abort", kill);
      settle();
    };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      answer = (answer + text).slice(0, MOST);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      complaint = (complaint + text).slice(-2_000);
    });
    // It may exit without reading its input.
    child.stdin.on("error", () => undefined).end(input);
    child.once("error", (error) => end(() => reject(new Error(notStarted(program, error)))));
    child.once("exit", kill);
    child.once("close", (code, signal) =>
      end(() => {
        if (code === 0 && answer.trim() !== "") resolve(answer.trim());
        else if (isLate) reject(new Error(`${program} gave no answer in ${timeoutSeconds} seconds and was ended.`));
        else if (code === 0) reject(new Error(`${program} gave an empty answer.`));
        else reject(new Error(`${program} failed (${signal ?? `exit status ${code}`}). ${lastLine(complaint)}`.trim()));
      }),
    );
  });
}

/** @param {number} pid of the group's first process */
function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has already exited.
  }
}

/** @param {string} program @param {Error} error */
function notStarted(program, error) {
  const isMissing = "code" in error && error.code === "ENOENT";
  if (isMissing && program === "claude") return "The Claude CLI is not installed where I run, so I can't answer.";
  return `${program} could not be started: ${isMissing ? "it is not installed" : error.message}`;
}

/** The last line of the error, with the environment's secrets redacted. @param {string} text */
function lastLine(text) {
  let line = text.trimEnd().split("\n").at(-1) ?? "";
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && value.length >= 8 && /KEY|TOKEN|SECRET|PASSWORD/.test(name)) {
      line = line.replaceAll(value, "***");
    }
  }
  return line.slice(0, 500);
}
