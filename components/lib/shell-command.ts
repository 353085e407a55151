/** A command as a person can paste it into a shell. */
export function shellCommand(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/** One word of such a command: quoted, unless it is plain. */
export function quoted(word: string): string {
  return /^[\w./:@+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
