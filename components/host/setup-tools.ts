import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { allowedEnvironment } from "../lib/environment.ts";
import { type ProgramEnd, type ProgramOptions, runProgram } from "../lib/process.ts";

/**
 * Finds bubblewrap and parts of the sandboxes' npm packages, or has them installed in the cache. Runs setup as a separate
 * process, because it reports on stderr, and holds locks until its process ends.
 *
 * @returns on stdout JSON: `bwrap`, the program's path, and `parts`, folders with a `node_modules`, by part
 */
export function setUpTools(
  parts: readonly string[],
  {
    env,
    ...options
  }: Pick<ProgramOptions, "timeoutSeconds" | "signal" | "onOutput"> & { readonly env: NodeJS.ProcessEnv },
): Promise<ProgramEnd> {
  const extension = extname(fileURLToPath(import.meta.url));
  const script = fileURLToPath(new URL(`../../scripts/setup/sandbox-tools${extension}`, import.meta.url));
  const settings = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && /^(npm_config_.*|CHANGELINGS_CACHE|NODE_COMPILE_CACHE|.*_proxy)$/i.test(name)
      ? [[name, value] as const]
      : [],
  );
  return runProgram(process.execPath, [script, ...parts], {
    env: { ...allowedEnvironment(env), ...Object.fromEntries(settings) },
    ...options,
  });
}
