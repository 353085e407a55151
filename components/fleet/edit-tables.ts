import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "smol-toml";
import { allPairs, type Keys, lineEnd, plain, same, syntaxOf, withoutMark } from "./edit.ts";
import type { Table } from "./kind.ts";
import { isTable } from "./zod-issues.ts";

/** Adds whole changelings to a fleet file's text, and removes them from it. */

/** The names that a fleet file's text declares. @throws if it isn't valid TOML */
export function declaredNames(text: string): Set<string> {
  const all = parse(withoutMark(text))["changelings"];
  return new Set(isTable(all) ? Object.keys(all) : []);
}

/** An option's value in a changeling's table, else in `[defaults]`. @throws if the text isn't valid TOML */
export function optionIn(text: string, name: string, key: string): unknown {
  const { changelings, defaults } = parse(withoutMark(text));
  const own = isTable(changelings) && Object.hasOwn(changelings, name) ? changelings[name] : undefined;
  if (isTable(own) && Object.hasOwn(own, key)) return own[key];
  return isTable(defaults) ? defaults[key] : undefined;
}

/**
 * Adds a changeling at the end of the fleet file's text. The rest stays the same, byte by byte.
 * @param table its options, as in the file; nested tables get their own headers
 * @throws if the file isn't valid TOML, already declares it, or has no place for it
 */
export function addChangeling(text: string, name: string, table: Table): string {
  const before = parse(withoutMark(text));
  const all = before["changelings"] ?? {};
  if (isTable(all) && Object.hasOwn(all, name)) throw new Error(`the fleet file declares ${name} already`);
  const eol = lineEnd(text, 0);
  const gap = text === "" ? "" : text.endsWith("\n") ? eol : eol + eol;
  const added = stringify({ changelings: { [name]: table } }).replace(/\n+$/, "\n");
  const after = text + gap + added.replaceAll("\n", eol);
  const expected = { ...before, changelings: { ...(isTable(all) ? all : {}), [name]: table } };
  return unlessMore(after, expected, `${name} can't be added to this file automatically; add it by hand`);
}

/**
 * Removes a changeling from the fleet file's text: its tables, with the comments directly above and below them.
 * @throws if the file isn't valid TOML, doesn't declare it, or declares it in a way that can't be removed
 */
export function removeChangeling(text: string, name: string): string {
  if (text.startsWith("\uFEFF")) return `\uFEFF${removeChangeling(text.slice(1), name)}`;
  const before = parse(text);
  const { changelings: all, ...others } = before;
  if (!isTable(all) || !Object.hasOwn(all, name)) throw new Error(`the fleet file declares no changeling ${name}`);
  const path = ["changelings", name];
  const top = syntaxOf(text);
  const tables = top.body.filter((node) => node.type === "TOMLTable").filter((node) => isBelow(node.resolvedKey, path));
  const pairs = [...allPairs(top.body)].filter(
    ({ node, table, path: own }) => isBelow(own, path) && !isBelow(table, path) && isOnOwnLines(text, node.range),
  );
  const ranges = [
    ...tables.map(({ range, body }) => extent(text, range[0], body.at(-1)?.range[1] ?? range[1])),
    ...pairs.map(({ node }) => extent(text, ...node.range)),
  ];
  let after = text;
  for (const [start, end] of ranges.sort(([a], [b]) => b - a)) after = after.slice(0, start) + after.slice(end);
  // Removing the last table must not leave empty lines at the end.
  if (ranges.some(([, end]) => end === text.length)) after = after.replace(/(\r?\n)(?:[ \t]*\r?\n)+$/, "$1");
  const { [name]: _, ...rest } = all;
  const expected =
    Object.keys(rest).length > 0 || isTable(parse(after)["changelings"]) ? { ...others, changelings: rest } : others;
  return unlessMore(after, expected, `${name} can't be removed from this file automatically; remove it by hand`);
}

/** An edit that changes anything else would be worse than none. */
function unlessMore(after: string, expected: Table, message: string): string {
  let parsed: Table;
  try {
    parsed = parse(withoutMark(after));
  } catch {
    throw new Error(message);
  }
  if (!isDeepStrictEqual(plain(parsed), plain(expected))) throw new Error(message);
  return after;
}

function isBelow(path: readonly (string | number)[], prefix: Keys): boolean {
  return same(path.slice(0, prefix.length), prefix);
}

function isOnOwnLines(text: string, [start]: readonly [number, number]): boolean {
  return /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", start - 1) + 1, start));
}

/** Whole lines, including adjacent comments and the empty lines that follow. */
function extent(text: string, from: number, to: number): [number, number] {
  let start = text.lastIndexOf("\n", from - 1) + 1;
  for (let line = lineBefore(text, start); line !== undefined && isComment(line.text); line = lineBefore(text, start)) {
    start = line.start;
  }
  let end = afterLine(text, to);
  let last = end;
  while (last < text.length && isComment(text.slice(last, afterLine(text, last)))) last = afterLine(text, last);
  // Comments directly above the next table belong to that table.
  if (last === text.length || /^[ \t]*\r?\n/.test(text.slice(last))) end = last;
  while (end < text.length && text.slice(end, afterLine(text, end)).trim() === "") end = afterLine(text, end);
  return [start, end];
}

function lineBefore(text: string, start: number): { start: number; text: string } | undefined {
  if (start === 0) return undefined;
  const before = text.lastIndexOf("\n", start - 2) + 1;
  return { start: before, text: text.slice(before, start) };
}

function afterLine(text: string, position: number): number {
  const newline = text.indexOf("\n", position);
  return newline === -1 ? text.length : newline + 1;
}

function isComment(line: string): boolean {
  return /^[ \t]*#/.test(line);
}
