/**
 * Text from a fleet file, a state or a program's output as Markdown that shows it and does nothing else: no link, no
 * mention, no image, no table cell of its own. Of GitHub's and GitLab's Markdown, where code is left alone by all of that.
 */

/** One line of code, also in a cell of a table. @param limit characters after which it is cut */
export function code(text: string, limit = 300): string {
  const line = visible(cut(text.trim(), limit)).replaceAll("\n", " ⏎ ");
  if (line === "") return "(empty)";
  // A code span can't hold a backtick, nor a table's cell a bar after a backslash: those stand between spans, as entities.
  return line.replace(/[^`|\\]+|[`|\\]/g, (part) => (/[`|\\]/.test(part) ? `&#${part.charCodeAt(0)};` : `\`${part}\``));
}

/** Words as they are when they are only words, numbers, times and zones; else code. */
export function words(text: string): string {
  return /^[A-Za-z0-9 ,.:/+-]+$/.test(text) && !/\/\/|www\.|^[ -]|:[a-z]/i.test(text) ? text : code(text);
}

/** Several lines of code. @param limit characters after which they are cut */
export function codeBlock(text: string, limit: number): string {
  // The fence is one longer than the longest run of backticks, which must not make it as long as it likes.
  const lines = visible(cut(text.trim(), limit)).replace(/`{10,}/g, "`````````…");
  const longest = Math.max(2, ...[...lines.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${lines}\n${fence}`;
}

/** What does not show, or makes other text show otherwise (bidirectional overrides), as a sign that shows. */
function visible(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\uFFFD");
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Not in the middle of a sign that takes two units.
  return `${text.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
