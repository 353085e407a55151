import { stripVTControlCharacters } from "node:util";

/**
 * What somebody else wrote (an agent, git, a server), such that a terminal shows it and obeys nothing in it: no escape
 * sequences, no other control characters, nothing that reverses the order of what is shown. Lines and tabs stay.
 */
export function plainWords(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu, "");
}

/** What a program printed for a terminal, as lines: without colours, boxes and what was overwritten. */
export function plainLines(output: string): string[] {
  return output
    .split("\n")
    .map((line) => plainWords(line.slice(line.lastIndexOf("\r", line.length - 2) + 1)))
    .filter((line) => !/^[╭╰][─ ]/.test(line))
    .map((line) => line.replace(/^│ ?/, "").replace(/ *│$/, "").trimEnd())
    .filter((line) => line !== "");
}
