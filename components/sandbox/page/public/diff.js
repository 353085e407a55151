/**
 * Parses a unified diff of git. It comes from an untrusted repository, so any text must give a result.
 *
 * @typedef {object} DiffLine
 * @property {"add" | "remove" | "same" | "hunk" | "note"} kind
 * @property {string} text without its sign
 * @property {number} [before] line number
 * @property {number} [after]
 * @typedef {object} DiffFile
 * @property {string} path
 * @property {string} [from] its path before, if it was renamed
 * @property {"changed" | "added" | "deleted" | "renamed" | "binary"} change
 * @property {number} added
 * @property {number} removed
 * @property {DiffLine[]} lines
 */

/** @param {string} text @returns {DiffFile[]} */
export function parseDiff(text) {
  /** @type {DiffFile[]} */
  const files = [];
  /** @type {DiffFile | undefined} */
  let file;
  // Within a hunk, the header's counts decide what a line is: a removed line `-- x` is not a file header.
  let [before, after, beforeLeft, afterLeft] = [0, 0, 0, 0];
  for (const line of text.split("\n")) {
    if (file !== undefined && (beforeLeft > 0 || afterLeft > 0)) {
      const sign = line[0] ?? " ";
      const rest = line.slice(1);
      if (sign === "+") {
        file.lines.push({ kind: "add", text: rest, after: after++ });
        file.added += 1;
        afterLeft -= 1;
        continue;
      }
      if (sign === "-") {
        file.lines.push({ kind: "remove", text: rest, before: before++ });
        file.removed += 1;
        beforeLeft -= 1;
        continue;
      }
      if (sign === " ") {
        file.lines.push({ kind: "same", text: rest, before: before++, after: after++ });
        beforeLeft -= 1;
        afterLeft -= 1;
        continue;
      }
      if (sign === "\\") {
        file.lines.push({ kind: "note", text: line.slice(2) });
        continue;
      }
      // The diff was cut off in the middle of a hunk.
      [beforeLeft, afterLeft] = [0, 0];
    }
    if (line.startsWith("diff --git ")) {
      file = { path: pathOfHeader(line), change: "changed", added: 0, removed: 0, lines: [] };
      files.push(file);
      continue;
    }
    if (file === undefined) continue;
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)$/.exec(line);
    if (hunk !== null) {
      [before, after] = [Number(hunk[1]), Number(hunk[3])];
      [beforeLeft, afterLeft] = [Number(hunk[2] ?? 1), Number(hunk[4] ?? 1)];
      file.lines.push({ kind: "hunk", text: line });
    } else header(file, line);
  }
  return files;
}

/** @param {DiffFile} file @param {string} line */
function header(file, line) {
  if (line.startsWith("new file mode")) file.change = "added";
  else if (line.startsWith("deleted file mode")) file.change = "deleted";
  else if (line.startsWith("rename from ")) Object.assign(file, { change: "renamed", from: unquoted(line.slice(12)) });
  else if (line.startsWith("rename to ")) file.path = unquoted(line.slice(10));
  else if (line.startsWith("Binary files ") || line === "GIT binary patch") file.change = "binary";
  else if (line.startsWith("+++ b/") || line.startsWith('+++ "b/')) file.path = unquoted(line.slice(4)).slice(2);
  else if (line.startsWith("\\ ")) file.lines.push({ kind: "note", text: line.slice(2) });
}

/** @param {string} line `diff --git a/x b/x` */
function pathOfHeader(line) {
  const [, quoted] = / ("b\/(?:[^"\\]|\\.)*")$/.exec(line) ?? [];
  if (quoted !== undefined) return unquoted(quoted).slice(2);
  const rest = line.slice("diff --git a/".length);
  // Both halves are the same path, unless the file was renamed.
  const half = rest.slice((rest.length + 3) / 2);
  if (rest === `${half} b/${half}`) return half;
  return rest.slice(rest.lastIndexOf(" b/") + 3);
}

/** @param {string} written a path as git quotes it, followed by a tab if it contains spaces */
function unquoted(written) {
  const path = written.replace(/\t$/, "");
  if (!path.startsWith('"')) return path;
  /** @type {number[]} */
  const bytes = [];
  const encoder = new TextEncoder();
  for (const [token, octal] of path.slice(1, -1).matchAll(/\\([0-7]{3})|\\.|[^\\]+/gu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else bytes.push(...encoder.encode(token.startsWith("\\") ? unescaped(token[1] ?? "") : token));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

/** @param {string} letter */
function unescaped(letter) {
  return { n: "\n", t: "\t", r: "\r", a: "\u0007", b: "\b", f: "\f", v: "\v" }[letter] ?? letter;
}
