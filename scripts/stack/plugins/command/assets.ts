import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { archive, asset, type Bag, type Wire } from "../wire.ts";
import { archiveHash, compareBytes, feed } from "./archive-hash.ts";
import { compileGlob } from "./glob.ts";
import { errnoText } from "./go-text.ts";

/** The files that a command created, as recorded in the state. undefined where the input requests none. */
export interface Found {
  assets: Wire | undefined;
  archive: Wire | undefined;
}

/**
 * Collects the files below `dir` that match the globs. `dir` is as given in the input, or undefined for the plugin's
 * own folder.
 */
export async function collectAssets(
  dir: string | undefined,
  assetPaths: string[] | undefined,
  archivePaths: string[] | undefined,
): Promise<Found> {
  const root = dir ?? process.cwd();
  const assets = assetPaths && (await findAssets(root, assetPaths));
  const archived = archivePaths && (await findAssets(root, archivePaths));
  return { assets, archive: archived && archive(await archiveHash(root, Object.keys(archived)), archived) };
}

async function findAssets(root: string, globs: string[]): Promise<Bag> {
  const rules = globs.map((glob) => ({ exclude: glob.startsWith("!"), regex: compileGlob(glob.replace(/^!/, "")) }));
  if (root === "") throw new Error("stat .: os: DirFS with empty root");
  const found: Bag = {};
  for await (const path of walk(root, "")) {
    for (const rule of rules) {
      if (!rule.regex.test(path)) continue;
      if (rule.exclude) delete found[path];
      else found[path] = asset(await fileHash(join(root, path)), join(root, path));
    }
  }
  return found;
}

/** Paths of everything except folders, relative to `root`. Links are not followed. */
async function* walk(root: string, folder: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    throw new Error(`open ${folder === "" ? "." : folder}: ${errnoText(error)}`);
  });
  entries.sort((a, b) => compareBytes(a.name, b.name));
  for (const entry of entries) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, path);
    else yield path;
  }
}

async function fileHash(path: string): Promise<string> {
  const info = await stat(path).catch((error: unknown) => {
    throw new Error(`failed to open asset file '${path}': open ${path}: ${errnoText(error)}`);
  });
  if (info.isDirectory()) throw new Error(`asset path '${path}' is a directory; try using an archive`);
  const hash = createHash("sha256");
  await feed(hash, path).catch((error: unknown) => {
    throw new Error(`failed to open asset file '${path}': open ${path}: ${errnoText(error)}`);
  });
  return hash.digest("hex");
}
