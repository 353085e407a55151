/**
 * Stands in for Claude Code's terminal, as far as mngr can tell them apart: it says that it is ready, shows an input
 * prompt, and takes messages, by paste or typed, at Enter. Nothing is thought about. In the agent's state folder it
 * leaves `argv.json`, and each message as a line of JSON in `messages.jsonl`.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// mngr knows its agent by the name of the process.
process.title = "claude";
if (process.argv[2] === "--version") {
  process.stdout.write("2.1.293 (Claude Code)\n");
  process.exit();
}

const state = process.env["MNGR_AGENT_STATE_DIR"];
if (state === undefined) throw new Error("mngr starts this program; MNGR_AGENT_STATE_DIR is not set");
const transcript = join(state, "logs", "claude_transcript");
mkdirSync(transcript, { recursive: true });
writeFileSync(join(state, "argv.json"), JSON.stringify(process.argv.slice(2)));

process.stdin.setRawMode(true);
process.stdin.setEncoding("utf8");
const prompt = "\r\n❯ ";
// Asks the terminal to mark where a paste begins and ends: in between, a carriage return is a new line.
process.stdout.write(`\x1b[?2004h${prompt}`);
writeFileSync(join(state, "session_started"), "");

let message = "";
let isPasting = false;
process.stdin.on("data", (chunk) => {
  // A marker never comes in two pieces from tmux, which writes it at once.
  for (const [piece] of String(chunk).matchAll(/\x1b\[20[01]~|\r|[^\x1b\r]+|\x1b/g)) {
    if (piece === "\x1b[200~") isPasting = true;
    else if (piece === "\x1b[201~") isPasting = false;
    else if (piece === "\r" && !isPasting) submit();
    else {
      message += piece.replace("\r", "\n");
      process.stdout.write(piece.replaceAll(/[\r\n]/g, "\r\n"));
    }
  }
});

function submit() {
  appendFileSync(join(`${state}`, "messages.jsonl"), `${JSON.stringify(message)}\n`);
  // What mngr takes as proof that the message arrived.
  const record = { type: "user", message: { content: message } };
  appendFileSync(join(transcript, "events.jsonl"), `${JSON.stringify(record)}\n`);
  message = "";
  process.stdout.write(prompt);
}
