import { plainWords } from "./text.ts";

/** All that this project's programs print for people goes through here: agents, repositories and servers have a part in it. */

export function printText(text: string): void {
  process.stdout.write(plainWords(text));
}

/** On stderr: warnings, progress, errors. */
export function printNote(text: string): void {
  process.stderr.write(plainWords(text));
}

/** JSON as a terminal may show it: what it escapes is what it is for everybody who reads it. */
export function printJson(data: unknown): void {
  const json = JSON.stringify(data, null, 2);
  // The control characters that JSON leaves as they are.
  const shown = json.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (each) => {
    return `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  process.stdout.write(`${shown}\n`);
}
