import { rmdirSync } from "node:fs";
import type { InstallationPaths } from "./installation-paths.ts";

/** Removes what is left of an installation when the last of it went: folders that hold nothing. Others stay. */
export function removeEmptyFolders({ root, ...folders }: InstallationPaths): void {
  for (const folder of [...Object.values(folders), root]) {
    try {
      rmdirSync(folder);
    } catch {
      // It holds something, or is not there.
    }
  }
}
