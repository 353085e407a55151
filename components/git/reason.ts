/** The line that says why git failed: its `fatal:`, else its first `error:`, else its last. */
export function gitReason(stderr: string): string | undefined {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const starting = (word: string) => lines.find((line) => line.startsWith(word));
  return starting("fatal: ") ?? starting("error: ") ?? lines.at(-1);
}
