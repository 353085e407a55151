import { isAbsolute, join, relative, resolve, sep } from "node:path";

/** The two folders that portable paths are relative to. */
export interface Anchors {
  /** The Pulumi project's folder. */
  readonly project: string;
  readonly home: string;
}

/**
 * A path for a resource's inputs. It is the same from another checkout or another user's machine, so a fleet applied
 * from there shows no change. Below the project it is relative (`./…`); below home it is `~/…`.
 */
export function portablePath(path: string, anchors: Anchors): string {
  for (const [prefix, anchor] of [
    [".", anchors.project],
    ["~", anchors.home],
  ] as const) {
    const below = relative(anchor, path);
    if (below === "") return prefix;
    if (!isAbsolute(below) && below !== ".." && !below.startsWith(`..${sep}`)) return `${prefix}/${below}`;
  }
  return path;
}

/** The inverse of `portablePath`. */
export function absolutePath(path: string, anchors: Anchors): string {
  if (path === "~" || path.startsWith("~/")) return join(anchors.home, path.slice(1));
  return resolve(anchors.project, path);
}
