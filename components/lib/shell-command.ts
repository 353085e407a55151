/** A command that can be pasted into a shell. */
export function shellCommand(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/** Quotes one word, unless it is plain. */
export function quoted(word: string): string {
  return /^[\w./:@+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
