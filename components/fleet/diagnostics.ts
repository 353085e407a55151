import { isAbsolute, relative } from "node:path";

export type Severity = "error" | "warning";

/** A key's place in the fleet file: `["changelings", "fixme-fairy", "secrets", 0]`. */
export type KeyPath = readonly (string | number)[];

/** One thing wrong, before it is known on which line. */
export interface Finding {
  readonly path: KeyPath;
  /** What is wrong. Holds no value that may be a secret. */
  readonly message: string;
  /** The command or the edit that mends it. */
  readonly remedy: string;
  readonly severity: Severity;
  /** The other options that it depends on. */
  readonly reads?: readonly string[];
  /** Set where the place is no key: a broken line, a comment. Both count from 1. */
  readonly at?: { readonly line: number; readonly column: number };
  /** The changelings that it was found with, for a default that not all of them have. */
  readonly changelings?: readonly string[];
}

/** One thing wrong in a fleet file, with its place. Line and column count from 1. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  /** For instance `changelings.fixme-fairy.schedule`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

export function error(path: KeyPath, message: string, remedy: string): Finding {
  return { path, message, remedy, severity: "error" };
}

export function warning(path: KeyPath, message: string, remedy: string): Finding {
  return { path, message, remedy, severity: "warning" };
}

/** A wrong default names the changeling that it is wrong for: with another kind or provider it may be right. */
export function foundWith(changeling: string, findings: readonly Finding[]): Finding[] {
  return findings.map((finding) =>
    finding.path[0] === "defaults" ? { ...finding, changelings: [changeling] } : finding,
  );
}

/** `["changelings", "a", "secrets", 0]` as `changelings.a.secrets[0]`; a key that is not bare is quoted as in TOML. */
export function pathInWords(path: KeyPath): string {
  return path.reduce<string>((words, key) => {
    if (typeof key === "number") return `${words}[${key}]`;
    const text = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
    return words === "" ? text : `${words}.${text}`;
  }, "");
}

/**
 * As compilers write them: place, what is wrong, and below it the remedy. In the order of their lines.
 * @param folder files below it are named relative to it
 */
export function formatFaults(faults: readonly Fault[], folder: string = process.cwd()): string {
  const ordered = [...faults].sort(
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

/** Where an option is written: in the changeling's own table, or in `[defaults]`. */
export type PlaceOf = (...path: KeyPath) => KeyPath;
