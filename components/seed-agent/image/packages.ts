import { readFileSync } from "node:fs";
import * as z from "zod/mini";

/** The packages that the program loads at run time, and that are therefore not in its bundle. */
export const externalPackages = ["esbuild", "typescript"] as const;

const lockedPackage = z.looseObject({
  version: z.string(),
  dependencies: z.optional(z.record(z.string(), z.string())),
  optionalDependencies: z.optional(z.record(z.string(), z.string())),
});
const lockFile = z.object({ packages: z.record(z.string(), z.looseObject({})) });

/**
 * The image's package.json and package-lock.json: the external packages and their dependencies, in the versions and with
 * the hashes of this project's lock file.
 *
 * @param lockPath the project's package-lock.json
 * @param version the program's
 */
export function packageFiles(lockPath: string, version: string): ReadonlyMap<string, string> {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(lockPath, "utf8")));
  const kept = new Map<string, z.output<typeof lockedPackage>>();
  const open: string[] = [...externalPackages];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (kept.has(name)) continue;
    const found = lockedPackage.safeParse(packages[`node_modules/${name}`]);
    if (!found.success) throw new Error(`${lockPath} has no ${name}; run: npm install`);
    const { dev: _, ...entry } = found.data;
    kept.set(name, entry);
    open.push(...Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }));
  }
  const dependencies = Object.fromEntries(externalPackages.map((name) => [name, kept.get(name)?.version]));
  const own = { name: "seed-agent", version, private: true, type: "module" };
  const entries = [...kept].sort(([one], [other]) => (one < other ? -1 : 1));
  const lock = {
    ...{ name: own.name, version, lockfileVersion: 3, requires: true },
    packages: {
      "": { name: own.name, version, dependencies },
      ...Object.fromEntries(entries.map(([name, entry]) => [`node_modules/${name}`, entry])),
    },
  };
  return new Map([
    ["package.json", json({ ...own, dependencies })],
    ["package-lock.json", json(lock)],
  ]);
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
