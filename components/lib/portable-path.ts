import { isAbsolute, join, relative, resolve, sep } from "node:path";

/** The two folders that a path can be told by on every machine. */
export interface Anchors {
  /** The Pulumi project's folder. */
  readonly project: string;
  readonly home: string;
}

/**
 * A path as it may stand in a resource's inputs: the same text from another checkout or another person's machine, so
 * that a fleet applied from there shows no change. Below the project: relative to it (`./…`); below home: `~/…`.
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
