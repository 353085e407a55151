import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { allowedEnvironment } from "../lib/environment.ts";
import { runProgram } from "../lib/process.ts";

const found = z.object({ bwrap: z.string() });

/** Allows for a slow connection, in seconds. */
const installSeconds = 300;

/**
 * Finds bubblewrap on PATH or in the cache, or has it installed there; nothing is installed on the system.
 *
 * @returns the folder that has `bwrap`, or why there is none, in words
 */
export async function bubblewrapFolder(
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly folder: string } | { readonly problem: string }> {
  const extension = extname(fileURLToPath(import.meta.url));
  const script = fileURLToPath(new URL(`../../scripts/setup/sandbox-tools${extension}`, import.meta.url));
  const settings = Object.entries(env).filter(
    ([name, value]) => value !== undefined && /^(npm_config_.*|CHANGELINGS_CACHE|.*_proxy)$/i.test(name),
  );
  // In a process of its own: setup reports on stderr, and holds locks that belong to a process.
  const { code, stdout, stderr } = await runProgram(process.execPath, [script], {
    env: { ...allowedEnvironment(env), ...(Object.fromEntries(settings) as Record<string, string>) },
    timeoutSeconds: installSeconds,
  });
  if (code !== 0) return { problem: stderr.trim() || `setup ended with ${code}` };
  return { folder: dirname(found.parse(JSON.parse(stdout)).bwrap) };
}
