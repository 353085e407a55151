import { existsSync } from "node:fs";
import type { InstallationPaths } from "../../components/host/installation-paths.ts";
import type { Stack } from "../stack/stack.ts";

/** The stack and the provider that a command works on, and where the stack's files are. */
export interface StackSelection {
  readonly stack: Stack;
  readonly paths: InstallationPaths;
  /** The only provider to query; undefined: every provider that the stack uses. */
  readonly provider: string | undefined;
}

/** The embedded default stack is created by `npm start`; before that, there is nothing to show. */
export function requireDevStack(stack: Stack): void {
  if (stack.configFile !== undefined && !existsSync(stack.configFile)) {
    throw new Error("the stack of `npm start` does not exist yet; create it with: npm start");
  }
}
