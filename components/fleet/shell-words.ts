/** One stretch of a word: plain, in single quotes, in double quotes, or a character behind a backslash. */
const stretch = /([^ \t\r\n'"\\]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/sy;

/**
 * Splits a text into words as Python's `shlex.split` does.
 * @returns undefined when a quote isn't closed or the text ends with a backslash
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; ) {
    if (" \t\r\n".includes(text.charAt(at))) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    stretch.lastIndex = at;
    const found = stretch.exec(text);
    if (found === null) return undefined;
    const [, plain, single, double, escaped] = found;
    word = (word ?? "") + (plain ?? single ?? double?.replace(/\\(["\\])/g, "$1") ?? escaped ?? "");
    at = stretch.lastIndex;
  }
  return word === undefined ? words : [...words, word];
}
