import { existsSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { parse, TomlError } from "smol-toml";
import { orSetting } from "../lib/own-commands.ts";
import { type Diagnostic, error } from "./diagnostics.ts";

/** A fleet file's text and mode. */
export interface Source {
  readonly text: string;
  /** Permission bits, as for chmod. */
  readonly mode: number;
  readonly table: Readonly<Record<string, unknown>>;
}

/**
 * Reads and parses the file. If that fails, the diagnostic says why.
 *
 * @param edited the text after an edit, which is parsed instead of the file's
 */
export async function readSource(
  file: string,
  edited?: string,
): Promise<{ source: Source } | { diagnostic: Diagnostic; text: string }> {
  let bytes: Buffer;
  let mode: number;
  try {
    [bytes, { mode }] =
      edited === undefined
        ? await Promise.all([readFile(file), stat(file)])
        : [Buffer.from(edited), { mode: existsSync(file) ? statSync(file).mode : 0o600 }];
  } catch (cause) {
    return { diagnostic: unreadable(file, codeOf(cause)), text: "" };
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { diagnostic: error([], "the file is not UTF-8 text", "save it as UTF-8"), text: "" };
  }
  try {
    return { source: { text, mode: mode & 0o777, table: parse(text) } };
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    return { diagnostic: brokenToml(cause, text), text };
  }
}

function unreadable(file: string, code: string): Diagnostic {
  if (code === "ENOENT" || code === "ENOTDIR") {
    return error(
      [],
      "there is no fleet file",
      `create ${file} with a line such as [changelings.fixme-fairy]${orSetting("changelings:config <path>", ", or name another: ")}`,
    );
  }
  if (code === "EISDIR")
    return error([], "is a folder, not a fleet file", `name a file in it, such as ${file}/config.toml`);
  if (code === "EACCES" || code === "EPERM") return error([], "can't be read: permission denied", `chmod u+r ${file}`);
  return error([], `can't be read (${code})`, "make the file readable");
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause);
}

function brokenToml({ message, line, column }: TomlError, text: string): Diagnostic {
  // The rest of the message is an excerpt of the file, which may contain a secret.
  const [what = ""] = message.replace(/^Invalid TOML document: /, "").split("\n");
  const diagnostic = { ...error([], `not valid TOML: ${what}`, "correct the line"), at: { line, column } };
  if (!/redefine/.test(what)) return diagnostic;
  const earlier = earlierHeader(text, line);
  if (earlier === undefined)
    return { ...diagnostic, message: "this key or table is defined twice", remedy: "remove one of them" };
  return {
    ...diagnostic,
    message: `the table is declared twice, first on line ${earlier}`,
    remedy: "merge them, or rename one",
  };
}

/** An earlier line with the same `[table]` header; undefined if the line is not a header. */
function earlierHeader(text: string, line: number): number | undefined {
  const headers = text.split(/\r?\n/).map((row) => /^\s*\[+([^\]]+)\]/.exec(row)?.[1]?.replace(/[\s"']/g, ""));
  const header = headers[line - 1];
  if (header === undefined) return undefined;
  const first = headers.indexOf(header);
  return first < line - 1 ? first + 1 : undefined;
}
