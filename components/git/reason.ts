/** The line of git's stderr with the reason for a failure: `fatal:`, else the first `error:`, else the last line. */
export function gitReason(stderr: string): string | undefined {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const starting = (word: string) => lines.find((line) => line.startsWith(word));
  return starting("fatal: ") ?? starting("error: ") ?? lines.at(-1);
}
