import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of `components/`, in a checkout or in the built package. */
export const componentsFolder = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** `.ts` in a checkout, `.js` in the built package. */
export const moduleExtension = extname(fileURLToPath(import.meta.url));

/** Files that a program reads in addition to its modules. */
const assets = /\.(sh|awk|css|html)$/;
/** Imports of modules, static or dynamic, but not of types alone. */
const relativeImport =
  /(?:^|\n)(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s+)?"(\.[^"]+\.[jt]s)"|\bimport\(\s*"(\.[^"]+\.[jt]s)"/g;

const known = new Map<string, string>();

/**
 * Fingerprint of a daemon's program: a daemon with an older program must be restarted. Node's version is not part of
 * it. Otherwise two users with different Nodes, or one user with two, would each find the other's daemon outdated.
 *
 * @param main the program's module, without extension, relative to `components/`
 * @param packages npm packages whose new releases require a restart
 * @returns 16 hexadecimal digits
 */
export function programVersion(main: string, packages: readonly string[] = []): string {
  const key = [main, ...packages].join("\n");
  const found = known.get(key) ?? fingerprint(programFiles(main), packages);
  known.set(key, found);
  return found;
}

/**
 * All files of a program: the modules that it imports from `components/`, statically or dynamically, and the scripts
 * and pages beside them.
 *
 * @returns paths relative to `components/`, sorted
 */
export function programFiles(main: string): string[] {
  const modules = new Set<string>();
  const open = [join(componentsFolder, main + moduleExtension)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (modules.has(path)) continue;
    modules.add(path);
    for (const [, imported, loaded] of readFileSync(path, "utf8").matchAll(relativeImport))
      open.push(join(dirname(path), imported ?? loaded ?? ""));
  }
  const folders = new Set([...modules].map((path) => dirname(path)));
  const beside = [...folders].flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => assets.test(file))
      .map((file) => join(folder, file)),
  );
  return [...modules, ...beside].map((path) => relative(componentsFolder, path)).sort();
}

function fingerprint(files: readonly string[], packages: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(componentsFolder, file)));
  const { resolve } = createRequire(import.meta.url);
  for (const name of packages) hash.update(readFileSync(resolve(`${name}/package.json`)));
  return hash.digest("hex").slice(0, 16);
}
