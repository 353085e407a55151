import { readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import ts from "typescript";

/** Each module's imports of other modules. Paths are relative to the project. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/**
 * The layers, bottom first. A module imports from its own layer and those below; kinds don't import each other.
 * `scripts/` may import everything.
 */
const layers: readonly RegExp[] = [
  /^components\/lib\//,
  /^components\/host\//,
  /^components\/git\//,
  /^components\/(mngr|modal|docker|models)\//,
  /^components\/fleet\//,
  /^components\/((stack|source|secrets)\/|[^/]+$)/,
  /^components\/[^/]+\//,
  /^components\/kinds\.ts$/,
  /^index\.ts$/,
];

/**
 * Type imports count too, because a reader has to follow a cycle of types. @param files modules, relative to `folder`
 */
export function importsOf(folder: string, files: readonly string[]): Imports {
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(folder, file), "utf8"));
      const imported = importedFiles.map(({ fileName }) => join(dirname(file), fileName));
      return [file, [...new Set(imported.filter((each) => known.has(each)))]] as const;
    }),
  );
}

/** Describes each import that goes up a layer, or from one kind to another. */
export function upwardImports(imports: Imports): string[] {
  return [...imports].flatMap(([file, imported]) =>
    file.startsWith("scripts/")
      ? []
      : imported.flatMap((each) => {
          const [from, to] = [layerOf(file), layerOf(each)];
          if (to > from) return [`${file} imports ${each}, which is above it`];
          const isBetweenKinds = from === kindLayer && to === kindLayer && folderOf(file) !== folderOf(each);
          return isBetweenKinds ? [`${file} imports ${each}, which belongs to another kind`] : [];
        }),
  );
}

const kindLayer = 6;

function layerOf(file: string): number {
  if (file === "components/kinds.ts") return layers.length - 2;
  const layer = layers.findIndex((pattern) => pattern.test(file));
  return layer === -1 ? layers.length : layer;
}

function folderOf(file: string): string {
  return file.split("/")[1] ?? "";
}

/** Each group of modules that import each other, directly or through others (Tarjan's algorithm). */
export function importCycles(imports: Imports): string[][] {
  const cycles: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return cycles;

  function visit(file: string): void {
    order.set(file, order.size);
    lowest.set(file, order.get(file) ?? 0);
    open.push(file);
    for (const next of imports.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) lowest.set(file, Math.min(lowest.get(file) ?? 0, lowest.get(next) ?? 0));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const cycle = open.splice(open.indexOf(file));
    if (cycle.length > 1 || imports.get(file)?.includes(file)) cycles.push(cycle.reverse());
  }
}
