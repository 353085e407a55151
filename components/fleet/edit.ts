import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "smol-toml";
import { type AST, parseTOML } from "toml-eslint-parser";
import type { Table } from "./kind.ts";
import { keysOf } from "./locate.ts";
import { isTable } from "./zod-issues.ts";

// Why own code: @decimalturn/toml-patch 3.3.0 gives the expected text for 15 of the 24 layouts in edit.test.ts. In others it
// adds an option below the comments of the next table, or changes spaces on the line; and it can't remove a table with
// its comments.

/** The possible values of an option. */
export type OptionValue = string | number | boolean | readonly string[];

/**
 * Enables or disables a changeling in the fleet file's text. All other lines stay the same, byte by byte.
 * @throws if the file isn't valid TOML or doesn't declare the changeling
 */
export function setEnabled(text: string, changeling: string, enabled: boolean): string {
  return setOption(text, changeling, "enabled", enabled);
}

/**
 * Sets one option of a changeling in the fleet file's text. Comments, order, spaces and line ends are kept.
 * @throws if the file isn't valid TOML or doesn't declare the changeling
 */
export function setOption(text: string, changeling: string, key: string, value: OptionValue): string {
  const all = parse(withoutMark(text))["changelings"];
  if (!isTable(all) || !isTable(Object.hasOwn(all, changeling) ? all[changeling] : undefined))
    throw new Error(`the fleet file declares no changeling ${changeling}`);
  return setKey(text, ["changelings", changeling], key, value);
}

/**
 * Sets one key of a top-level table in the fleet file's text, for instance `port` of `[forwarding]`. A missing table is
 * added at the end. Everything else is kept.
 * @throws if the file isn't valid TOML
 */
export function setTableKey(text: string, table: string, key: string, value: OptionValue): string {
  return setKey(text, [table], key, value);
}

function setKey(text: string, path: Keys, key: string, value: OptionValue): string {
  // The parser that reports positions doesn't support byte order marks.
  if (text.startsWith("\uFEFF")) return `\uFEFF${setKey(text.slice(1), path, key, value)}`;
  const after = edited(text, path, key, written(value));
  // An edit that changes anything else would be worse than none.
  if (!isDeepStrictEqual(plain(parse(after)), plain(withValue(parse(text), [...path, key], value)))) {
    const where = path[1] ?? `[${path[0]}]`;
    throw new Error(`${key} of ${where} can't be set in this file without a change to the rest; set it by hand`);
  }
  return after;
}

function withValue(table: Table, [key, ...rest]: Keys, value: OptionValue): Table {
  if (key === undefined) return table;
  const below = Object.hasOwn(table, key) ? table[key] : undefined;
  return { ...table, [key]: rest.length === 0 ? value : withValue(isTable(below) ? below : {}, rest, value) };
}

/** Removes a byte order mark, which the parsers would read as a part of the first line. */
export function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, "");
}

export type Keys = readonly string[];

export interface Pair {
  readonly node: AST.TOMLKeyValue;
  readonly path: Keys;
  /** The path of the enclosing table, `[…]` or `{…}`. */
  readonly table: Keys;
}

function edited(text: string, path: Keys, key: string, value: string): string {
  const top = syntaxOf(text);
  const tables = top.body.filter((node) => node.type === "TOMLTable");
  const pairs = [...allPairs(top.body)];
  const existing = pairs.find((pair) => same(pair.path, [...path, key]));
  if (existing !== undefined) {
    const [start, end] = existing.node.value.range;
    return text.slice(0, start) + value + text.slice(end);
  }
  const line = `${key} = ${value}`;

  const table = tables.find(({ resolvedKey }) => same(resolvedKey, path));
  if (table !== undefined) {
    const last = table.body.at(-1);
    const indent = last === undefined ? "" : indentBefore(text, last.range[0]);
    return insertLine(text, (last ?? table.key).range[1], indent + line);
  }

  const inline = pairs.find((pair) => same(pair.path, path))?.node.value;
  if (inline?.type === "TOMLInlineTable") return insertInline(text, inline, line);

  // `[changelings]` with `name.schedule = …`: write the option in the same way.
  const dotted = pairs
    .filter((pair) => pair.table.length < path.length && same(pair.path.slice(0, path.length), path))
    .at(-1);
  if (dotted !== undefined) {
    const { node } = dotted;
    const lastOfPrefix = node.key.keys[path.length - dotted.table.length - 1];
    const prefix = text.slice(node.key.range[0], lastOfPrefix?.range[1]);
    const entry = `${prefix}.${line}`;
    if (node.parent.type === "TOMLInlineTable") return insertInline(text, node.parent, entry);
    return insertLine(text, node.range[1], indentBefore(text, node.range[0]) + entry);
  }

  // The file contains only tables below it (`[changelings.name.env]`).
  const eol = lineEnd(text, text.length);
  const gap = text === "" || text.endsWith("\n") ? "" : eol;
  return `${text}${gap}${eol}[${path.map(tomlKey).join(".")}]${eol}${line}${eol}`;
}

/** The file's syntax tree. */
export function syntaxOf(text: string): AST.TOMLTopLevelTable {
  // Without a final line end, the parser's end position of a last number or word is one too low.
  return parseTOML(`${text}\n`, { tomlVersion: "1.1" }).body[0];
}

export function* allPairs(body: readonly (AST.TOMLTable | AST.TOMLKeyValue)[], table: Keys = []): Generator<Pair> {
  for (const node of body) {
    if (node.type === "TOMLTable") {
      yield* allPairs(node.body, node.resolvedKey.map(String));
      continue;
    }
    const path = [...table, ...keysOf(node.key)];
    yield { node, path, table };
    if (node.value.type === "TOMLInlineTable") yield* allPairs(node.value.body, path);
  }
}

/** Inserts a line below the line at the position, with that line's own line end. */
function insertLine(text: string, position: number, line: string): string {
  const newline = text.indexOf("\n", position);
  const eol = lineEnd(text, position);
  const end = newline === -1 ? text.length : text[newline - 1] === "\r" ? newline - 1 : newline;
  return `${text.slice(0, end)}${eol}${line}${text.slice(end)}`;
}

function insertInline(text: string, table: AST.TOMLInlineTable, entry: string): string {
  const last = table.body.at(-1);
  const [start, end] = table.range;
  if (last === undefined) return `${text.slice(0, start)}{ ${entry} }${text.slice(end)}`;
  return `${text.slice(0, last.range[1])}, ${entry}${text.slice(last.range[1])}`;
}

/** The first line end at or after the position, else the file's first, else `\n`. */
export function lineEnd(text: string, position: number): string {
  return /\r?\n/.exec(text.slice(position))?.[0] ?? /\r?\n/.exec(text)?.[0] ?? "\n";
}

function indentBefore(text: string, position: number): string {
  const start = text.lastIndexOf("\n", position - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, position))?.[0] ?? "";
}

function written(value: OptionValue): string {
  return stringify({ value })
    .replace(/^value = /, "")
    .trimEnd();
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : written(key);
}

export function same(a: readonly (string | number)[], b: Keys): boolean {
  return a.length === b.length && a.every((key, index) => key === b[index]);
}

/** Removes the parser's prototypes, so that equal tables are deeply equal. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
