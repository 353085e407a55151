import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { allowedEnvironment, isSetupVariable } from "../lib/environment.ts";
import { type ProgramEnd, type ProgramOptions, runProgram } from "../lib/process.ts";
import { quickStart } from "./quick-start.ts";

type SetupOptions = Pick<ProgramOptions, "timeoutSeconds" | "signal" | "onOutput"> & {
  readonly env: NodeJS.ProcessEnv;
};

/**
 * Finds bubblewrap and parts of the sandboxes' npm packages, or has them installed in the cache.
 *
 * @returns on stdout JSON: `bwrap`, the program's path, and `parts`, folders with a `node_modules`, by part
 */
export function setUpTools(parts: readonly string[], options: SetupOptions): Promise<ProgramEnd> {
  return runSetup("sandbox-tools", parts, options);
}

/** Finds wrangler, or has it installed in the cache. @returns its path on stdout */
export function setUpWrangler(options: SetupOptions): Promise<ProgramEnd> {
  return runSetup("wrangler", [], options);
}

/** Runs a part of setup as a separate process, because it reports on stderr, and holds locks until its process ends. */
function runSetup(program: string, args: readonly string[], { env, ...options }: SetupOptions): Promise<ProgramEnd> {
  const extension = extname(fileURLToPath(import.meta.url));
  const script = fileURLToPath(new URL(`../../scripts/stack/setup/${program}${extension}`, import.meta.url));
  const settings = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && isSetupVariable(name) ? [[name, value] as const] : [],
  );
  return runProgram(process.execPath, [...quickStart, script, ...args], {
    env: { ...allowedEnvironment(env), ...Object.fromEntries(settings) },
    ...options,
  });
}
