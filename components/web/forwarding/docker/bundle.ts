import { join } from "node:path";

/** The server's modules in the image; see `programFolder`. */
const entries = { main: "main", relay: "relay" };

/** Names that exist in CommonJS packages, but not in ES modules. */
const commonJsNames = [
  'import { createRequire } from "node:module";',
  "const require = createRequire(import.meta.url);",
  "const { filename: __filename, dirname: __dirname } = import.meta;",
].join(" ");

/**
 * Bundles the server's program and its relay into a folder, including their npm dependencies.
 *
 * @throws if bundling fails
 */
export async function bundleProgram(folder: string): Promise<void> {
  // Loaded lazily, because every `up` loads this file for the image's name.
  const { build } = await import("esbuild");
  const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js";
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, module]) => [name, join(import.meta.dirname, module + extension)]),
    ),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    // Node prints the source line of an uncaught error, so keep lines short.
    lineLimit: 200,
    banner: { js: commonJsNames },
    logLevel: "silent",
  });
}
