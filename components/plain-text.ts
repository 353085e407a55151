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

/** A text in which secrets are blotted out, also where they stand escaped, or line by line. */
export function masked(text: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // A short line is no secret by itself, and would blot out half of the text.
    ...secret.split("\n").filter((line) => line.length >= 8),
  ]);
  return [...new Set(forms)]
    .filter((form) => form.trim().length >= 4)
    .sort((one, other) => other.length - one.length)
    .reduce((masked, form) => masked.replaceAll(form, "***"), text);
}
