// @ts-check
// The .mjs files of this folder are plain JavaScript because they run on the machine's own Node, before a Node that
// strips types is installed.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout that contains this file. */
export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

export const platform = `${process.platform}-${process.arch}`;

/**
 * @typedef {{ name: string, version: string, integrity: string }} NodePackage
 * @typedef {{ node: { minimum: number, packages: Record<string, NodePackage> }, pulumi: string, commandPlugin: string, postgres: { version: string, integrity: Record<string, string> }, python: { minimum: string } }} Versions
 */

/** What setup installs, each at one exact version. @type {Versions} */
export const versions = JSON.parse(readFileSync(join(checkout, "scripts/stack/setup/versions.json"), "utf8"));

/**
 * The folder for downloads and builds. It is outside every checkout, and all of them share it.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cacheFolder(env = process.env) {
  if (env.CHANGELINGS_CACHE) return resolve(env.CHANGELINGS_CACHE);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "changelings");
}

/**
 * Hashes texts and the contents of files and folders into a short key for a cache entry.
 * @param {{ texts?: string[], paths?: string[] }} parts paths are relative to the checkout
 */
export function keyOf({ texts = [], paths = [] }) {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  for (const path of paths)
    for (const file of filesBelow(path))
      hash
        // Without the folders above, so that sources which move as a whole are not built again.
        .update(relative(dirname(path), file))
        .update("\0")
        .update(readFileSync(join(checkout, file)));
  return hash.digest("hex").slice(0, 16);
}

/** @param {string} path @returns {string[]} */
function filesBelow(path) {
  try {
    return readdirSync(join(checkout, path), { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOTDIR") return [path];
    throw error;
  }
}
