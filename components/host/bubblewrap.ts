import { dirname } from "node:path";
import * as z from "zod/mini";
import { setUpTools } from "./setup-tools.ts";

const found = z.object({ bwrap: z.string() });

/** Allows for a slow connection, in seconds. */
const installSeconds = 300;

/**
 * Finds bubblewrap on PATH or in the cache, or installs it there, never on the system.
 *
 * @returns the folder that contains `bwrap`, or why there is none, in words
 */
export async function bubblewrapFolder(
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly folder: string } | { readonly problem: string }> {
  const { code, stdout, stderr } = await setUpTools([], { env, timeoutSeconds: installSeconds });
  if (code !== 0) return { problem: stderr.trim() || `setup ended with ${code}` };
  return { folder: dirname(found.parse(JSON.parse(stdout)).bwrap) };
}
