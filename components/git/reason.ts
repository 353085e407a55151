/** The line with git's reason for a failure: its `fatal:`, else its first `error:`, else its last line. */
export function gitReason(stderr: string): string | undefined {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const starting = (word: string) => lines.find((line) => line.startsWith(word));
  return starting("fatal: ") ?? starting("error: ") ?? lines.at(-1);
}
