import { globSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { projectFolder } from "../../stack/project.ts";

/** What other modules don't import by a constant path: components load each other on demand, and processes start the scripts. */
const entries = [
  "components/**/*.ts",
  "changelings/stock.ts",
  "scripts/{forwarding,local,modal,repo}-*.ts",
  "scripts/{command,web-agent}.ts",
  "scripts/stack/setup/{sandbox-tools,wrangler}.ts",
];

/**
 * Writes the modules of the package, and those that they import, as JavaScript. esbuild takes a twentieth of the compiler's
 * time, and nothing here needs types.
 */
export async function writeModules(folder: string): Promise<void> {
  const imported = new Set(
    globSync(entries, { cwd: projectFolder })
      .filter((path) => !path.endsWith(".d.ts"))
      .map((path) => join(projectFolder, path)),
  );
  for (let written = 0; written < imported.size; ) {
    const modules = [...imported].slice(written);
    written = imported.size;
    for (const [source, ending] of [
      [".ts", ".js"],
      [".mjs", ".mjs"],
    ] as const) {
      await build({
        entryPoints: modules.filter((path) => path.endsWith(source)),
        outExtension: { ".js": ending },
        outdir: folder,
        outbase: projectFolder,
        platform: "node",
        format: "esm",
        target: "es2024",
        logLevel: "warning",
        // One file for each: their paths are in people's states, and a program loads what it uses.
        bundle: true,
        treeShaking: false,
        plugins: [asFiles(imported)],
      });
    }
  }
}

/** Leaves imports as they are, except for the ending of a module, which is added to `imported`. */
function asFiles(imported: Set<string>): Plugin {
  return {
    name: "as-files",
    setup({ onResolve }) {
      onResolve({ filter: /./ }, ({ kind, path, resolveDir }) => {
        if (kind === "entry-point") return undefined;
        if (/^\.{1,2}\/.*\.(ts|mjs)$/.test(path)) imported.add(join(resolveDir, path));
        return { path: path.replace(/^(\.{1,2}\/.*)\.ts$/, "$1.js"), external: true };
      });
    },
  };
}
