import { readToolchain, type Toolchain, toolchainEnvironment } from "./toolchain.mjs";

export type { Toolchain } from "./toolchain.mjs";

/**
 * Returns what setup found or installed, as absolute paths, and the environment to run programs in: that of this
 * process plus Pulumi's settings, with Node, Pulumi, mngr and modal on PATH. Scripts started by scripts/stack/launch.mjs
 * already run in that environment.
 *
 * @throws if setup has not run for this checkout
 */
export function toolchain(): Toolchain & { readonly env: NodeJS.ProcessEnv } {
  const found = readToolchain();
  if (found === null) throw new Error("This checkout is not set up, or part of it was removed. Run: npm run setup");
  return { ...found, env: toolchainEnvironment(found) };
}
