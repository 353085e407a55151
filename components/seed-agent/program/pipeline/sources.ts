import { createTwoFilesPatch } from "diff";
import type { Change, Sources } from "../domain.ts";

/** The base's sources with a change's files in place of theirs. */
export function changedSources(base: Sources, files: Change["files"]): Sources {
  const changed = new Map(Object.entries(base));
  for (const [path, text] of Object.entries(files)) {
    if (text === null) changed.delete(path);
    else changed.set(path, text);
  }
  return Object.fromEntries([...changed].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

export function isSame(one: Sources, other: Sources): boolean {
  const paths = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...paths].every((path) => one[path] === other[path]);
}

/** As a unified diff, in the order of the paths. */
export function diffOf(before: Sources, after: Sources): string {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return paths
    .filter((path) => before[path] !== after[path])
    .map((path) => {
      const [from, to] = [
        before[path] === undefined ? "/dev/null" : `a/${path}`,
        after[path] === undefined ? "/dev/null" : `b/${path}`,
      ];
      return createTwoFilesPatch(from, to, before[path] ?? "", after[path] ?? "").replace(/^=+\n/, "");
    })
    .join("");
}
