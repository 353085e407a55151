import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const components = dirname(dirname(fileURLToPath(import.meta.url)));

/** What every daemon is made of. */
export const commonSources = ["supervision", "files", "installation-paths", "lock", "own-commands", "safe-git"];

const known = new Map<string, string>();

/**
 * Fingerprint of a daemon's own source files: an older one must be restarted. Node's version is left out, or two
 * people's Nodes, or one's two, would each find the other's outdated.
 *
 * @param sources folders (everything below them) and modules (without extension) of `components/`; those
 *   of all daemons are not named
 * @param packages of npm, when a newer release of one is a reason to restart it
 * @returns 16 hexadecimal digits
 */
export function programVersion(sources: readonly string[], packages: readonly string[] = []): string {
  const key = [...sources, ...packages].join("\n");
  const found = known.get(key) ?? fingerprint([...commonSources, ...sources], packages);
  known.set(key, found);
  return found;
}

function fingerprint(sources: readonly string[], packages: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of sources.flatMap(programFiles)) hash.update(readFileSync(join(components, file)));
  const { resolve } = createRequire(import.meta.url);
  for (const name of packages) hash.update(readFileSync(resolve(`${name}/package.json`)));
  return hash.digest("hex").slice(0, 16);
}

function programFiles(source: string): string[] {
  if (!statSync(join(components, source), { throwIfNoEntry: false })?.isDirectory())
    return [source + extname(import.meta.url)];
  return readdirSync(join(components, source), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|js|sh|awk|css|html)$/.test(file) && !file.endsWith(".d.ts"))
    .sort()
    .map((file) => join(source, file));
}
