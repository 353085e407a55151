/**
 * Escapes text from a fleet file, a state or a program's output for Markdown, so that it is shown literally: no link,
 * no mention, no image, no table cell of its own. For GitHub and GitLab, which interpret none of these in code.
 */

/** One line of code, also valid in a table cell. @param limit characters after which it is truncated */
export function code(text: string, limit = 300): string {
  const line = visible(cut(text.trim(), limit)).replaceAll("\n", " ⏎ ");
  if (line === "") return "(empty)";
  // A code span can't contain a backtick, nor a table cell a bar after a backslash: use entities between spans.
  return line.replace(/[^`|\\]+|[`|\\]/g, (part) => (/[`|\\]/.test(part) ? `&#${part.charCodeAt(0)};` : `\`${part}\``));
}

/** Plain text if it consists only of words, numbers, times and zones; otherwise code. */
export function words(text: string): string {
  return /^[A-Za-z0-9 ,.:/+-]+$/.test(text) && !/\/\/|www\.|^[ -]|:[a-z]/i.test(text) ? text : code(text);
}

/** Several lines of code. @param limit characters after which they are truncated */
export function codeBlock(text: string, limit: number): string {
  // The fence must be longer than the longest run of backticks, so long runs are shortened to bound it.
  const lines = visible(cut(text.trim(), limit)).replace(/`{10,}/g, "`````````…");
  const longest = Math.max(2, ...[...lines.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${lines}\n${fence}`;
}

/** Makes characters visible that are hidden or change how other text is shown (bidirectional overrides). */
function visible(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\uFFFD");
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Don't cut a surrogate pair in half.
  return `${text.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
