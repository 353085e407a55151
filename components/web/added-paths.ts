import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, isAbsolute, join, posix } from "node:path";
import { shown } from "../lib/literal-secrets.ts";

/** One element of `add_paths`. */
export interface AddPath {
  /** As written in the file. */
  readonly from: string;
  /** Relative to the repo, below it, without a trailing `/`. */
  readonly to: string;
}

interface AddPathProblem {
  readonly message: string;
  readonly remedy: string;
}

const form = 'write "SRC:DEST", for instance "~/notes/style.md:docs/style.md"';

/** Parses `SRC:DEST`. If DEST ends with `/`, it is the folder to copy SRC into. */
export function parseAddPath(text: string): AddPath | AddPathProblem {
  const colon = text.lastIndexOf(":");
  const [from, dest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || dest === "") return { message: `${shown(text)} is not SRC:DEST`, remedy: form };
  if (isAbsolute(dest) || dest.startsWith("~")) {
    return { message: `DEST must be a path below the repo, and ${shown(dest)} is not`, remedy: form };
  }
  const isFolder = dest.endsWith("/") || dest === ".";
  const to = posix.normalize(isFolder ? `${dest}/${basename(from)}` : dest).replace(/\/+$/, "");
  const parts = to.split("/");
  if (to === "" || to === ".") return { message: `DEST ${shown(dest)} names no file or folder`, remedy: form };
  if (parts.includes("..")) return { message: `DEST ${shown(dest)} is outside of the repo`, remedy: form };
  if (parts.some((part) => part.toLowerCase() === ".git")) {
    return { message: `DEST ${shown(dest)} belongs to git`, remedy: "choose another path" };
  }
  return { from, to };
}

/**
 * 12 hex digits that change with the contents of the added paths; undefined for none. A missing path has no contents.
 */
export function fingerprintOfAdded(paths: readonly AddedPath[]): string | undefined {
  if (paths.length === 0) return undefined;
  const hash = createHash("sha256");
  for (const { from, to } of paths) {
    for (const file of filesAt(from)) {
      const { mode, isLink } = file;
      hash.update(`\0${to}\0${file.path.slice(from.length)}\0${isLink ? "link" : mode & 0o111 ? "program" : "file"}\0`);
      hash.update(isLink ? readlinkSync(file.path) : readFileSync(file.path));
    }
  }
  return hash.digest("hex").slice(0, 12);
}

interface FoundFile {
  readonly path: string;
  readonly mode: number;
  readonly isLink: boolean;
}

function filesAt(path: string): FoundFile[] {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined || basename(path) === ".git") return [];
  if (status.isDirectory())
    return readdirSync(path)
      .sort()
      .flatMap((name) => filesAt(join(path, name)));
  return status.isFile() || status.isSymbolicLink()
    ? [{ path, mode: status.mode, isLink: status.isSymbolicLink() }]
    : [];
}

/** A local file or folder to copy into a changeling's repo. */
export interface AddedPath {
  /** Absolute. */
  readonly from: string;
  /** Relative to the repo, below it, with `/` between its parts. */
  readonly to: string;
}
