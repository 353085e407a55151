import { join } from "node:path";
import { componentsFolder, moduleExtension } from "../../host/supervision/program-version.ts";
import { serviceAssets } from "../program/hot-reload/assets.ts";
import { externalPackages } from "./packages.ts";

/** Defines the names that exist in CommonJS packages, but not in ES modules. */
const commonJsNames = [
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url);",
  "const { filename: __filename, dirname: __dirname } = import.meta;",
].join(" ");

/**
 * Bundles the service's program with its npm packages, except the external ones.
 *
 * @param main its module, by default the service's
 * @returns the files of the program's folder, by their paths: the same for the same sources, wherever they are
 * @throws if bundling fails
 */
export async function bundleProgram(main = programPath("main")): Promise<ReadonlyMap<string, string>> {
  // Loaded lazily, because the kind's modules load in every `up`.
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: { main },
    // The names in the output are relative to it.
    absWorkingDir: componentsFolder,
    outdir: join(componentsFolder, "out"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node24",
    // Without it, the output contains the paths of packages, which differ between checkouts.
    minify: true,
    // Otherwise it depends on the tsconfig.json of the project that this package is in.
    tsconfigRaw: {},
    // Node prints the source line of an uncaught error, so keep lines short.
    lineLimit: 200,
    legalComments: "none",
    external: [...externalPackages, "pg-native"],
    banner: { js: commonJsNames },
    logLevel: "silent",
  });
  return new Map([
    ...outputFiles.map(({ path, text }): [string, string] => [
      path.slice(join(componentsFolder, "out").length + 1),
      text,
    ]),
    ...Object.entries(await serviceAssets()).map(([name, text]): [string, string] => [`seed-assets/${name}`, text]),
  ]);
}

/** A module of the program; in a checkout TypeScript, in the built package JavaScript. */
function programPath(module: string): string {
  return join(componentsFolder, "seed-agent", "program", module + moduleExtension);
}
