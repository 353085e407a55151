import { stripVTControlCharacters } from "node:util";

/**
 * Makes untrusted text (from an agent, git or a server) safe for a terminal: removes escape sequences, other control
 * characters, and characters that reverse the displayed order. Newlines and tabs are kept.
 */
export function plainWords(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu, "");
}

/** A program's terminal output as lines, without colours, boxes and overwritten text. */
export function plainLines(output: string): string[] {
  return output
    .split("\n")
    .map((line) => plainWords(line.slice(line.lastIndexOf("\r", line.length - 2) + 1)))
    .filter((line) => !/^[╭╰][─ ]/.test(line))
    .map((line) => line.replace(/^│ ?/, "").replace(/ *│$/, "").trimEnd())
    .filter((line) => line !== "");
}
