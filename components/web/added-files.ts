import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import type { AddedPath } from "../fleet/index.ts";

/**
 * Changes with the content of the paths that are added to a repo: 12 hex digits; undefined for none. Of a path that is
 * not there nothing is known.
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
