import { readdirSync, rmdirSync } from "node:fs";
import { claimFileName, removeClaim } from "./claims.ts";
import type { InstallationPaths } from "./installation-paths.ts";

/**
 * Removes what is left of an installation when the last of it went: folders that hold nothing, and the claim. Those of a
 * daemon go with it alone: one that still runs, which is removed at the same time, watches its own.
 */
export function removeEmptyFolders({ root, secrets, web, records, runs }: InstallationPaths): void {
  for (const folder of [secrets, web, records, runs]) removeIfEmpty(folder);
  if (holdsClaimAlone(root)) removeClaim({ root });
  removeIfEmpty(root);
}

function holdsClaimAlone(root: string): boolean {
  try {
    return readdirSync(root).every((name) => name === claimFileName);
  } catch {
    return false;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds something, or is not there.
  }
}
