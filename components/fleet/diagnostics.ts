import { isAbsolute, relative } from "node:path";

export type Severity = "error" | "warning";

/** A key's path in the fleet file: `["changelings", "fixme-fairy", "secrets", 0]`. */
export type KeyPath = readonly (string | number)[];

/** A diagnostic whose line is not known yet. */
export interface Diagnostic {
  readonly path: KeyPath;
  /** What is wrong. Contains no value that may be a secret. */
  readonly message: string;
  /** The command or the edit that fixes it. */
  readonly remedy: string;
  readonly severity: Severity;
  /** The other options that it depends on. */
  readonly reads?: readonly string[];
  /** Set if the position is not that of a key: an invalid line, a comment. Both start at 1. */
  readonly at?: { readonly line: number; readonly column: number };
  /** The changelings that have the invalid default, if not all of them do. */
  readonly changelings?: readonly string[];
}

/** A diagnostic of a fleet file, with its position. Line and column start at 1. */
export interface LocatedDiagnostic {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  /** For instance `changelings.fixme-fairy.schedule`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

export function error(path: KeyPath, message: string, remedy: string): Diagnostic {
  return { path, message, remedy, severity: "error" };
}

export function warning(path: KeyPath, message: string, remedy: string): Diagnostic {
  return { path, message, remedy, severity: "warning" };
}

/** An invalid default names its changelings: it may be valid for another kind or provider. */
export function foundWith(changeling: string, diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.map((diagnostic) =>
    diagnostic.path[0] === "defaults" ? { ...diagnostic, changelings: [changeling] } : diagnostic,
  );
}

/** `["changelings", "a", "secrets", 0]` as `changelings.a.secrets[0]`. A key that is not bare is quoted as in TOML. */
export function pathInWords(path: KeyPath): string {
  return path.reduce<string>((words, key) => {
    if (typeof key === "number") return `${words}[${key}]`;
    const text = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
    return words === "" ? text : `${words}.${text}`;
  }, "");
}

/**
 * Formats diagnostics like a compiler, ordered by line: position and message, with the remedy below.
 * @param folder files below it get relative paths
 */
export function formatDiagnostics(diagnostics: readonly LocatedDiagnostic[], folder: string = process.cwd()): string {
  const ordered = [...diagnostics].sort(
    (a, b) =>
      order(a.file, b.file) || a.line - b.line || (a.column ?? 0) - (b.column ?? 0) || order(a.message, b.message),
  );
  return ordered
    .map(({ file, line, path, message, remedy, severity }) => {
      const where = path === "" ? "" : `${path}: `;
      const kind = severity === "warning" ? "warning: " : "";
      return `${shortPath(file, folder)}:${line}: ${kind}${where}${message}\n    → ${remedy}`;
    })
    .join("\n");
}

function shortPath(file: string, folder: string): string {
  const below = relative(folder, file);
  return below !== "" && !below.startsWith("..") && !isAbsolute(below) ? below : file;
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Where an option is set: in the changeling's own table, or in `[defaults]`. */
export type KeyPathOf = (...path: KeyPath) => KeyPath;
