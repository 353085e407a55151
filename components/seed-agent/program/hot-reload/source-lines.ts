import * as z from "zod/mini";
import { plainWords } from "../../../lib/text.ts";
import type { SourceDiagnostic } from "../domain.ts";

/** A position in a bundle, as stacks contain it. */
const frame = /agent\.cjs:(\d+):(\d+)/g;
const inlineMap = /^\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/m;
/** As esbuild writes it; https://tc39.es/ecma426/ */
const sourceMap = z.object({ sources: z.array(z.string()), mappings: z.string() });
type SourceMap = z.output<typeof sourceMap>;
const known = new Map<string, SourceMap | undefined>();

/** @returns the message of an error's stack, and the source line where it was thrown */
export function locate(stack: string, bundle: string): string {
  const { file, line, message } = diagnose(stack, bundle);
  const words = plainWords(message).slice(0, 2000);
  return file === undefined ? words : `${words} (${file}:${line})`;
}

/** @param stack comes from the code, so it is not trusted */
export function diagnose(stack: string, bundle: string): SourceDiagnostic {
  const lines = stack.split("\n");
  const start = lines.findIndex((line) => /^\s+at /.test(line));
  const message = (start < 0 ? lines : lines.slice(0, start)).join("\n").trim() || "threw an error without a message";
  return { ...firstPosition(start < 0 ? "" : lines.slice(start).join("\n"), bundle), message };
}

/** @returns the position of the stack's first frame in a source file */
export function firstPosition(stack: string, bundle: string): { readonly file?: string; readonly line?: number } {
  const map = mapOf(bundle);
  if (map === undefined) return {};
  for (const [, line = "", column = ""] of stack.matchAll(frame)) {
    const found = originOf(map, Number(line) - 1, Number(column) - 1);
    const file = map.sources[found?.source ?? -1]?.replace(/^version:/, "");
    if (found !== undefined && file?.endsWith(".ts")) return { file, line: found.line + 1 };
  }
  return {};
}

/** Remembers the map of the last bundle, because errors rarely come alone. */
function mapOf(bundle: string): SourceMap | undefined {
  if (!known.has(bundle)) {
    known.clear();
    known.set(bundle, readMap(bundle));
  }
  return known.get(bundle);
}

function readMap(bundle: string): SourceMap | undefined {
  const encoded = inlineMap.exec(bundle.slice(bundle.lastIndexOf("//# sourceMappingURL=")))?.[1];
  if (encoded === undefined) return undefined;
  try {
    return sourceMap.safeParse(JSON.parse(Buffer.from(encoded, "base64").toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * Reads the mappings up to a position without keeping them. Node's own `SourceMap` would create an object for each, a hundred
 * thousand for a large version. All numbers count from 0.
 */
function originOf(
  { mappings }: SourceMap,
  line: number,
  column: number,
): { readonly source: number; readonly line: number } | undefined {
  let found: { readonly source: number; readonly line: number } | undefined;
  let generatedLine = 0;
  // Each segment contains differences to the one before: generated column (within its line), source, line, column.
  const position: [number, number, number, number] = [0, 0, 0, 0];
  let field = 0;
  let value = 0;
  let shift = 0;
  for (const character of `${mappings};`) {
    if (character === "," || character === ";") {
      if (generatedLine === line && field >= 4 && position[0] <= column)
        found = { source: position[1], line: position[2] };
      field = 0;
      if (character === ",") continue;
      if (generatedLine === line) return found;
      generatedLine += 1;
      position[0] = 0;
      continue;
    }
    const digit = digits.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    if (field < position.length) position[field] = (position[field] ?? 0) + (value & 1 ? -(value >>> 1) : value >>> 1);
    field += 1;
    value = 0;
    shift = 0;
  }
  return found;
}
