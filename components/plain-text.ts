/** What a program printed for a terminal, as lines: without colours, boxes and what was overwritten. */
export function plainLines(output: string): string[] {
  return output
    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "")
    .split("\n")
    .map((line) => line.slice(line.lastIndexOf("\r", line.length - 2) + 1))
    .filter((line) => !/^[╭╰][─ ]/.test(line))
    .map((line) => line.replace(/^│ ?/, "").replace(/ *│$/, "").trimEnd())
    .filter((line) => line !== "");
}
