/**
 * Formats text of agents, people and repositories. It is untrusted, and only becomes text nodes. All functions take time
 * in proportion to the text.
 */

/**
 * Makes characters visible that are invisible or that reorder the text around them, so that no text can be disguised.
 * Removes terminal colours.
 *
 * @param {string} text
 */
export function visible(text) {
  return text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, marked);
}

/** @param {string} character */
function marked(character) {
  return `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** As `visible`, without line breaks; for names and titles. @param {string} text */
export function inOneLine(text) {
  return visible(text.replace(/\s+/g, " ")).trim();
}

/** @param {string} text @param {number} most */
export function shortened(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

/**
 * Splits an answer into paragraphs and code blocks. While it is streamed only the last block changes, which keeps the page
 * fast.
 *
 * @typedef {{ kind: "text" | "code", text: string }} Block
 * @param {string} text
 * @returns {Block[]}
 */
export function blocksOf(text) {
  /** @type {Block[]} */
  const blocks = [];
  /** @type {string[]} */
  let lines = [];
  let fence = "";
  const end = () => {
    if (lines.length > 0) blocks.push({ kind: fence === "" ? "text" : "code", text: lines.join("\n") });
    lines = [];
  };
  for (const line of text.split("\n")) {
    const [, opened = ""] = /^ {0,3}(`{3,}|~{3,})[^`]*$/.exec(line) ?? [];
    if (fence === "" && opened !== "") {
      end();
      fence = opened;
    } else if (fence !== "" && opened.startsWith(fence) && line.trim() === opened) {
      end();
      fence = "";
    } else if (fence === "" && line.trim() === "") end();
    else lines.push(line);
  }
  end();
  return blocks;
}

const inline = /`(?<code>[^`\n]+)`|\*\*(?<strong>[^*\n]+)\*\*|(?<link>https?:\/\/\w[^\s<>"'`⟨]*)/g;

/**
 * @typedef {{ kind: "text" | "code" | "strong" | "link", text: string }} Piece
 * @param {string} text
 * @returns {Piece[]}
 */
export function piecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = 0;
  for (const match of text.matchAll(inline)) {
    const { code, strong, link } = match.groups ?? {};
    if (match.index > at) pieces.push({ kind: "text", text: text.slice(at, match.index) });
    at = match.index + match[0].length;
    if (code !== undefined) pieces.push({ kind: "code", text: code });
    else if (strong !== undefined) pieces.push({ kind: "strong", text: strong });
    else if (link !== undefined) {
      const address = link.replace(/[.,;:!?)\]}*_]+$/, "");
      pieces.push({ kind: "link", text: address });
      at = match.index + address.length;
    }
  }
  if (at < text.length) pieces.push({ kind: "text", text: text.slice(at) });
  return pieces;
}

/** Summarizes a tool call's input in one line. @param {unknown} input */
export function briefOf(input) {
  if (typeof input === "string") return inOneLine(shortened(input, 300));
  if (typeof input !== "object" || input === null) return "";
  const values = new Map(Object.entries(input));
  for (const name of ["command", "cmd", "pattern", "query", "url", "file_path", "path", "description", "name"]) {
    const value = values.get(name);
    if (typeof value === "string" && value !== "") return inOneLine(shortened(value, 300));
    if (Array.isArray(value) && value.length > 0) return inOneLine(shortened(value.join(" "), 300));
  }
  const text = JSON.stringify(input);
  return text === "{}" ? "" : inOneLine(shortened(text, 300));
}

/** @param {unknown} input of a tool call */
export function inputText(input) {
  if (typeof input === "string") return input;
  if (typeof input === "object" && input !== null && "command" in input && Object.keys(input).length === 1)
    return String(input.command);
  return JSON.stringify(input, null, 2) ?? "";
}

/** `8 s`, `2 min`, `1 h 5 min`. @param {number} seconds */
export function durationText(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 || minutes >= 10 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} usd */
export function costText(usd) {
  return `$${usd > 0 && usd < 0.1 ? usd.toFixed(3) : usd.toFixed(2)}`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`. @param {string} at @param {number} now */
export function agoText(at, now) {
  const minutes = Math.floor((now - Date.parse(at)) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} d ago`;
}
