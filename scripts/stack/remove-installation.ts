import { existsSync, readdirSync, rmSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { claimFileName } from "../../components/host/claims.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { kinds } from "../../components/kinds.ts";
import type { DataToDelete, DeployableKind, Leftovers } from "../../components/stack/deployment.ts";

const deployable: readonly Pick<DeployableKind, "leftovers">[] = Object.values(kinds);

/** What each kind may have left on a machine, in the registry's order. */
export async function leftovers(): Promise<Leftovers[]> {
  const all = await Promise.all(deployable.map((kind) => kind.leftovers?.()));
  return all.flatMap((each) => each ?? []);
}

/**
 * Stops everything that runs for an installation on this machine, and removes its files: without Pulumi, for a stack
 * that no longer exists, or after it was destroyed.
 *
 * @param going the data that is deleted too. The rest remains, for a later changeling of the same name
 * @returns what remains: folders, and Docker volumes
 */
export async function removeInstallation(installation: string, going: DataToDelete): Promise<string[]> {
  const paths = installationPaths(installation);
  const { root } = paths;
  const places: string[] = [];
  const files: string[] = [];
  for (const kind of await leftovers()) {
    places.push(...(await kind.remove(installation, paths, going)));
    files.push(...(kind.keptFiles?.(paths) ?? []));
  }
  removeAllBut(
    root,
    [...places, ...files].filter((place) => place.startsWith(`${root}/`)),
  );
  return places;
}

/** Without folders that were never made. Places on other machines, and in Docker, are words. */
export function remaining(places: readonly string[]): string[] {
  return places.filter((place) => !isAbsolute(place) || existsSync(place));
}

/** Removes a folder's content but these places, and the folder too if there are none. */
function removeAllBut(root: string, kept: readonly string[]): void {
  if (kept.length === 0) {
    rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    return;
  }
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const isKept = name === claimFileName || kept.some((place) => place === path || place.startsWith(`${path}/`));
    if (!isKept) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
