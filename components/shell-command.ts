/** A command as a person can paste it into a shell: what is not plain is quoted. */
export function shellCommand(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@~+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
