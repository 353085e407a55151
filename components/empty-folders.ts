import { rmdirSync } from "node:fs";
import type { InstallationPaths } from "./installation-paths.ts";

/**
 * Removes what is left of an installation when the last of it went: folders that hold nothing. Those of a daemon go
 * with it alone: one that still runs, which is removed at the same time, watches its own.
 */
export function removeEmptyFolders({ root, secrets, web }: InstallationPaths): void {
  for (const folder of [secrets, web, root]) {
    try {
      rmdirSync(folder);
    } catch {
      // It holds something, or is not there.
    }
  }
}
