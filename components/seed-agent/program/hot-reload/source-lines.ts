import { SourceMap } from "node:module";
import { plainWords } from "../../../lib/text.ts";
import type { SourceDiagnostic } from "../domain.ts";

/** The name that a bundle has in stacks. */
const frame = /agent\.cjs:(\d+):(\d+)/g;
const inlineMap = /^\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/m;
const known = new Map<string, SourceMap | undefined>();

/** Replaces an error's stack by its message, and the line in the source where it was thrown. */
export function locate(stack: string, bundle: string): string {
  const { file, line, message } = diagnose(stack, bundle);
  const words = plainWords(message).slice(0, 2000);
  return file === undefined ? words : `${words} (${file}:${line})`;
}

/** @param stack is what the code says, so it is not trusted */
export function diagnose(stack: string, bundle: string): SourceDiagnostic {
  const lines = stack.split("\n");
  const start = lines.findIndex((line) => /^\s+at /.test(line));
  const message = (start < 0 ? lines : lines.slice(0, start)).join("\n").trim() || "threw an error without a message";
  return { ...firstPosition(start < 0 ? "" : lines.slice(start).join("\n"), bundle), message };
}

/** The first frame of a stack that is in a source. */
export function firstPosition(stack: string, bundle: string): { readonly file?: string; readonly line?: number } {
  const map = mapOf(bundle);
  if (map === undefined) return {};
  for (const [, line = "", column = ""] of stack.matchAll(frame)) {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!("originalSource" in entry)) continue;
    const file = entry.originalSource.replace(/^version:/, "");
    if (file.endsWith(".ts")) return { file, line: entry.originalLine + 1 };
  }
  return {};
}

/** Of the bundle that was asked for last: an error is rarely alone. */
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
    return new SourceMap(JSON.parse(Buffer.from(encoded, "base64").toString("utf8")));
  } catch {
    return undefined;
  }
}
