import { plainWords } from "./text.ts";

/** Everything printed for people passes through here, because it may contain text from agents and servers. */

export function printText(text: string): void {
  process.stdout.write(plainWords(text));
}

/** On stderr: warnings, progress, errors. */
export function printNote(text: string): void {
  process.stderr.write(plainWords(text));
}

/** JSON that is safe for a terminal. Its escapes are valid JSON, so every reader sees the same data. */
export function printJson(data: unknown): void {
  printEscaped(JSON.stringify(data, null, 2));
}

/** The same on one line, for a stream of values. */
export function printJsonLine(data: unknown): void {
  printEscaped(JSON.stringify(data));
}

function printEscaped(json: string): void {
  // JSON.stringify doesn't escape these control characters.
  const shown = json.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (each) => {
    return `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  process.stdout.write(`${shown}\n`);
}
