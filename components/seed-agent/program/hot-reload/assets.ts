import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sources } from "../domain.ts";

/** From `hot-reload/`, where this module is not part of a bundle. */
const ownFolder = new URL("./", import.meta.url);
const extension = extname(fileURLToPath(import.meta.url));
/** Beside the bundle, where it is. */
const assetsFolder = new URL("./seed-assets/", import.meta.url);

const insideName = "inside.cjs";
const typesName = "seed.d.ts";
const firstVersionName = "first-version.json";
const analysisName = "analysis.mjs";

/**
 * What a bundle of the service needs in a folder `seed-assets` beside it, by file name. The npm packages `esbuild` and
 * `typescript` stay packages.
 */
export async function serviceAssets(): Promise<Readonly<Record<string, string>>> {
  return {
    [insideName]: await insideProgram(),
    [typesName]: await seedTypes(),
    [firstVersionName]: JSON.stringify(await firstSources()),
    [analysisName]: await bundleOwn("analysis/worker", { format: "esm", packages: "external" }),
  };
}

/** The program that runs in the fence. */
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

/** The program of the thread that checks types. */
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
    // Not of the project that it is in.
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
