import { type AST, parseTOML } from "toml-eslint-parser";
import type { KeyPath } from "./diagnostics.ts";

/** Starts at 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The position of a key in the file; for a key that isn't written, that of the nearest enclosing table. */
export type Locate = (path: KeyPath) => Position;

/** @returns a function that returns 1:1 for every key if the text can't be parsed */
export function locator(text: string): Locate {
  const places = new Map<string, Position>();
  const note = (path: KeyPath, node: AST.TOMLNode) => {
    const key = JSON.stringify(path);
    if (!places.has(key)) places.set(key, { line: node.loc.start.line, column: node.loc.start.column + 1 });
  };
  try {
    visit(parseTOML(text, { tomlVersion: "1.1" }).body[0], note);
  } catch {
    // Another parser has read the values. If this one is stricter, a diagnostic without its line is better than none.
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const place = places.get(JSON.stringify(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return { line: 1, column: 1 };
  };
}

type Note = (path: KeyPath, node: AST.TOMLNode) => void;

function visit(top: AST.TOMLTopLevelTable, note: Note): void {
  for (const node of top.body) {
    if (node.type === "TOMLTable") {
      noteKeys(node.key, [], note);
      for (const pair of node.body) visitPair(pair, node.resolvedKey, note);
    } else {
      visitPair(node, [], note);
    }
  }
}

function visitPair(pair: AST.TOMLKeyValue, table: KeyPath, note: Note): void {
  noteKeys(pair.key, table, note);
  visitValue(pair.value, [...table, ...keysOf(pair.key)], note);
}

function visitValue(value: AST.TOMLContentNode, path: KeyPath, note: Note): void {
  if (value.type === "TOMLInlineTable") {
    for (const pair of value.body) visitPair(pair, path, note);
  } else if (value.type === "TOMLArray") {
    for (const [index, element] of value.elements.entries()) {
      note([...path, index], element);
      visitValue(element, [...path, index], note);
    }
  }
}

/** `a.b.c` also names the tables `a` and `a.b`. */
function noteKeys(key: AST.TOMLKey, table: KeyPath, note: Note): void {
  const keys = keysOf(key);
  for (const [index, node] of key.keys.entries()) note([...table, ...keys.slice(0, index + 1)], node);
}

export function keysOf(key: AST.TOMLKey): string[] {
  return key.keys.map((node) => (node.type === "TOMLBare" ? node.name : node.value));
}
