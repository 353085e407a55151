import { join } from "node:path";

/** What stands in the image as the server's program; see `programFolder`. */
const entries = { main: "main", relay: "relay" };

/** Names that packages of CommonJS find, and modules do not. */
const whatCommonJsHas = [
  'import { createRequire } from "node:module";',
  "const require = createRequire(import.meta.url);",
  "const { filename: __filename, dirname: __dirname } = import.meta;",
].join(" ");

/**
 * Puts the server's program and its relay into a folder, with all that they import from npm.
 *
 * @throws when it can't be bundled
 */
export async function bundleProgram(folder: string): Promise<void> {
  // The name of an image is asked for in every `up`, and loads this file too.
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
    // Node shows the line that an uncaught error came from.
    lineLimit: 200,
    banner: { js: whatCommonJsHas },
    logLevel: "silent",
  });
}
