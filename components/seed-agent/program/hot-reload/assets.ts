import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sources } from "../domain.ts";

/** The folder `hot-reload/`, if this module is not bundled. */
const ownFolder = new URL("./", import.meta.url);
const extension = extname(fileURLToPath(import.meta.url));
/** The folder beside the bundle, if this module is bundled. */
const assetsFolder = new URL("./seed-assets/", import.meta.url);

const insideName = "inside.cjs";
const typesName = "seed.d.ts";
const firstVersionName = "first-version.json";
const analysisName = "analysis.mjs";

/**
 * @returns the files that a bundle of the service needs in a folder `seed-assets` beside it, by name. It also needs the npm
 *   packages `esbuild` and `typescript`, which are not bundled
 */
export async function serviceAssets(): Promise<Readonly<Record<string, string>>> {
  return {
    [insideName]: await insideProgram(),
    [typesName]: await seedTypes(),
    [firstVersionName]: JSON.stringify(await firstSources()),
    [analysisName]: await bundleOwn("analysis/worker", { format: "esm", packages: "external" }),
  };
}

/** The text of the program that runs behind the fence. */
export const insideProgram = once(
  async () => (await asset(insideName)) ?? (await bundleOwn("inside/main", { format: "cjs" })),
);

/** The declarations of the module "seed". */
export const seedTypes = once(async () => (await asset(typesName)) ?? (await own("../seed.d.ts")));

/** The sources of `v0`. */
export const firstSources = once(async (): Promise<Sources> => {
  const packed = await asset(firstVersionName);
  if (packed !== undefined) return JSON.parse(packed) as Sources;
  const files = ["handle.ts", "handle.test.ts"];
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await own(`../first-version/${file}`)] as const)),
  );
});

const own = (path: string) => readFile(new URL(path, ownFolder), "utf8");

async function asset(name: string): Promise<string | undefined> {
  const file = new URL(name, assetsFolder);
  return existsSync(file) ? readFile(file, "utf8") : undefined;
}

/** The program of the worker thread that checks types. */
export function analysisFile(): URL {
  const packed = new URL(analysisName, assetsFolder);
  return existsSync(packed) ? packed : new URL(`analysis/worker${extension}`, ownFolder);
}

async function bundleOwn(
  name: string,
  options: { readonly format: "cjs" | "esm"; readonly packages?: "external" },
): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name + extension, ownFolder))],
    // Without comments, which contain paths that differ between checkouts.
    minifyWhitespace: true,
    // Ignores the tsconfig.json of the project around it.
    tsconfigRaw: {},
    ...{ bundle: true, write: false, platform: "node", target: "node24", logLevel: "silent" },
    ...options,
  });
  return outputFiles[0]?.text ?? "";
}

function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work();
    result.catch(() => {
      result = undefined;
    });
    return result;
  };
}
