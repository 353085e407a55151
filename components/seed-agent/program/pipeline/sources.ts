import { createTwoFilesPatch, FILE_HEADERS_ONLY, formatPatch } from "diff";
import type { Change, Sources } from "../domain.ts";
import { ownValue } from "../own-value.ts";

/**
 * How many added and removed lines of a change are matched with each other. The time for that grows with their square, and
 * sources may have a hundred thousand lines.
 */
const maxEdits = 800;
/** Every file is compared up to this many edits, however much the files before it differ. */
const minEdits = 50;

/** Applies a change's files to the base's sources. */
export function changedSources(base: Sources, files: Change["files"]): Sources {
  const changed = new Map(Object.entries(base));
  for (const [path, text] of Object.entries(files)) {
    if (text === null) changed.delete(path);
    else changed.set(path, text);
  }
  return Object.fromEntries([...changed].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

export function isSame(one: Sources, other: Sources): boolean {
  return pathsOf(one, other).every((path) => ownValue(one, path) === ownValue(other, path));
}

/** A unified diff, in the order of the paths. A file that was rewritten is shown as removed and added as a whole. */
export function diffOf(before: Sources, after: Sources): string {
  let edits = maxEdits;
  let diff = "";
  for (const path of pathsOf(before, after)) {
    const [old, now] = [ownValue(before, path), ownValue(after, path)];
    if (old === now) continue;
    const [from, to] = [old === undefined ? "/dev/null" : `a/${path}`, now === undefined ? "/dev/null" : `b/${path}`];
    const options = { headerOptions: FILE_HEADERS_ONLY, maxEditLength: edits };
    const patch = createTwoFilesPatch(from, to, old ?? "", now ?? "", undefined, undefined, options);
    diff += patch ?? replacement(from, to, old ?? "", now ?? "");
    edits = Math.max(minEdits, patch === undefined ? edits / 2 : edits - (patch.match(/^[-+]/gm)?.length ?? 0));
  }
  return diff;
}

/** Removes all lines and adds the new ones, without comparing them. */
function replacement(from: string, to: string, before: string, after: string): string {
  const [removed, added] = [linesOf(before), linesOf(after)];
  const hunk = {
    ...{ oldStart: 1, oldLines: removed.length, newStart: 1, newLines: added.length },
    lines: [...marked("-", before, removed), ...marked("+", after, added)],
  };
  const headers = { oldHeader: undefined, newHeader: undefined };
  return formatPatch({ oldFileName: from, newFileName: to, ...headers, hunks: [hunk] }, FILE_HEADERS_ONLY);
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n");
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function marked(mark: "-" | "+", text: string, lines: readonly string[]): readonly string[] {
  const end = text === "" || text.endsWith("\n") ? [] : ["\\ No newline at end of file"];
  return [...lines.map((line) => mark + line), ...end];
}

function pathsOf(one: Sources, other: Sources): readonly string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted();
}
