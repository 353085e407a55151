import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod/mini";

/** What the real Claude Code CLI printed for some prompts. */
export interface ClaudeRecording extends Disposable {
  /** A PATH whose `claude` prints it again, for the prompt on stdin, and ends with 1. */
  readonly path: string;
}

/**
 * Runs the real CLI once for many prompts that fail, which cost half a second of processor time each by a process of their
 * own. What it prints for a prompt is the same either way.
 *
 * @param args besides those of its formats
 * @param env with PATH, the API's URL and a key
 */
export async function recordClaude(
  prompts: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ClaudeRecording> {
  const folder = mkdtempSync(join(tmpdir(), "claude-recording-"));
  const formats = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
  const settings = ["--include-partial-messages", "--setting-sources", "", "--strict-mcp-config", "--model", "sonnet"];
  const child = spawn("claude", ["--print", ...formats, ...settings, ...args], {
    cwd: folder,
    env: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", HOME: folder, CLAUDE_CONFIG_DIR: folder, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  for (const [index, prompt] of prompts.entries()) {
    child.stdin.write(`${JSON.stringify({ type: "user", message: { role: "user", content: prompt } })}\n`);
    writeFileSync(join(folder, `prompt-${index}`), prompt);
    writeFileSync(join(folder, `printed-by-prompt-${index}`), `${(await untilResult(lines)).join("\n")}\n`);
  }
  child.stdin.end();
  await ended;
  const replay = [
    "#!/bin/sh",
    `cd '${folder}' && cat >asked-$$`,
    // The format `json` is the last line of `stream-json`.
    'case " $* " in *" --output-format json "*) lines=1 ;; *) lines=+1 ;; esac',
    'for prompt in prompt-*; do cmp -s "$prompt" asked-$$ && tail -n "$lines" "printed-by-$prompt"; done',
    "exit 1",
  ];
  writeFileSync(join(folder, "claude"), `${replay.join("\n")}\n`, { mode: 0o755 });
  return {
    path: [folder, env["PATH"]].join(delimiter),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const printed = z.object({ type: z.string() });

async function untilResult(lines: AsyncIterator<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for (;;) {
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`claude ended without a result: ${all.at(-1)}`);
    all.push(value);
    if (printed.parse(JSON.parse(value)).type === "result") return all;
  }
}
