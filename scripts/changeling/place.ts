import { existsSync } from "node:fs";
import type { InstallationPaths } from "../../components/host/installation-paths.ts";
import type { Stack } from "../stack/stack.ts";

/** Which stack to use, and where its files are. */
export interface Place {
  readonly stack: Stack;
  readonly paths: InstallationPaths;
  /** The only provider to query; undefined: all that the stack uses. */
  readonly provider: string | undefined;
}

/** The embedded default stack is created by `npm start`; before that, there is nothing to show. */
export function requireDevStack(stack: Stack): void {
  if (stack.configFile !== undefined && !existsSync(stack.configFile)) {
    throw new Error("the stack of `npm start` does not exist yet; create it with: npm start");
  }
}
