import { readToolchain, type Toolchain, toolchainEnvironment } from "./toolchain.mjs";

export type { Toolchain } from "./toolchain.mjs";

/**
 * What setup found or installed, with absolute paths, and the environment to run programs in: this process's own
 * with Node, Pulumi, mngr and modal on PATH and Pulumi's settings. Scripts that scripts/launch.mjs started are
 * in that environment already.
 *
 * @throws when setup has not been run for this checkout
 */
export function toolchain(): Toolchain & { readonly env: NodeJS.ProcessEnv } {
  const found = readToolchain();
  if (found === null) throw new Error("This checkout is not set up, or part of it was removed. Run: npm run setup");
  return { ...found, env: toolchainEnvironment(found) };
}
