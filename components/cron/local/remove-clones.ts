import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readTextIfAny } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";

/**
 * Removes the clones of repositories declared by URL, except those with a run's branch, which may have the only copy of
 * its commits. Reads the files instead of running git, because an agent could have written git's config there.
 *
 * @returns the clones that are kept
 */
export function removeClones({ repos }: Pick<InstallationPaths, "repos">): string[] {
  if (!existsSync(repos)) return [];
  const clones = readdirSync(repos).map((name) => join(repos, name));
  const kept = clones.filter(holdsRuns);
  if (kept.length === 0) rmSync(repos, { recursive: true, force: true });
  else for (const clone of clones) if (!kept.includes(clone)) rmSync(clone, { recursive: true, force: true });
  return kept;
}

function holdsRuns(clone: string): boolean {
  return [clone, join(clone, ".git")].some((folder) => {
    const loose = join(folder, "refs", "heads", "changelings");
    if (existsSync(loose) && readdirSync(loose).length > 0) return true;
    return (readTextIfAny(join(folder, "packed-refs")) ?? "").includes(" refs/heads/changelings/");
  });
}
