/**
 * Parses a message's text. The server and the page's script use it, and each makes HTML of the result in its own way.
 * Takes linear time, whatever the text.
 *
 * @typedef {{ kind: "text" | "code" | "block" | "link", text: string }} Piece a `link` is an http(s) address
 */

const INLINE = /`(?<code>[^`\n]+)`|(?<link>https?:\/\/[A-Za-z0-9][^\s<>"'`]*)/g;

/** @param {string} text @returns {Piece[]} */
export function piecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  /** @type {string[]} */
  let lines = [];
  let isBlock = false;
  const end = (/** @type {boolean} */ isLast) => {
    if (isBlock) pieces.push({ kind: "block", text: lines.join("\n") });
    else pieces.push(...inlinePiecesOf(withoutEmptyEnds(lines, pieces.length > 0, !isLast).join("\n")));
    lines = [];
  };
  for (const line of text.split("\n")) {
    if (isBlock ? line.trimEnd() === "```" : /^```[^`]*$/.test(line)) {
      end(false);
      isBlock = !isBlock;
    } else lines.push(line);
  }
  if (lines.length > 0 || isBlock) end(true);
  return pieces;
}

/** Removes empty lines around a block, which has its own margin. @param {string[]} lines @param {boolean} isAfter whether a block precedes them @param {boolean} isBefore whether a block follows */
function withoutEmptyEnds(lines, isAfter, isBefore) {
  let [from, to] = [0, lines.length];
  while (isAfter && from < to && lines[from] === "") from += 1;
  while (isBefore && from < to && lines[to - 1] === "") to -= 1;
  return lines.slice(from, to);
}

/** @param {string} text @returns {Piece[]} */
function inlinePiecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = 0;
  const plainUpTo = (/** @type {number} */ end) => {
    if (end > at) pieces.push({ kind: "text", text: text.slice(at, end) });
  };
  for (const match of text.matchAll(INLINE)) {
    const { code, link } = match.groups ?? {};
    plainUpTo(match.index);
    if (code !== undefined) pieces.push({ kind: "code", text: code });
    const address = link === undefined ? "" : withoutPunctuation(link);
    if (link !== undefined) pieces.push({ kind: "link", text: address });
    at = match.index + (link === undefined ? match[0] : address).length;
  }
  plainUpTo(text.length);
  return pieces;
}

/** Punctuation at the end of a URL belongs to the sentence. @param {string} link */
function withoutPunctuation(link) {
  let end = link.length;
  while (".,;:!?)]}*_".includes(link.charAt(end - 1))) end -= 1;
  return link.slice(0, end);
}
