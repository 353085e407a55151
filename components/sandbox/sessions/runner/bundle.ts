import { join } from "node:path";
import { writePrivateFile } from "../../../host/files.ts";
import { componentsFolder, moduleExtension } from "../../../host/supervision/program-version.ts";
import { workerProgram } from "../folder.ts";

/** Bundles the worker into one ES module. @throws if that fails */
export async function bundleWorker(file: string): Promise<void> {
  const { build, stop } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(componentsFolder, workerProgram + moduleExtension)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:workers"],
    logLevel: "silent",
  });
  // esbuild's process would keep running, and is not needed again.
  await stop();
  writePrivateFile(file, outputFiles[0]?.text ?? "");
}
