import { existsSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "../host/files.ts";
import type { InstallationPaths } from "../host/installation-paths.ts";
import type { Leftovers } from "../stack/deployment.ts";
import { repositoryName } from "./declared.ts";
import { installedSandboxes, readSandbox } from "./installed.ts";
import { localPaths } from "./local/paths.ts";
import { openProvider } from "./providers.ts";
import { stopSessions } from "./sessions/supervise.ts";
import { memoryVolume, type SandboxProviderName } from "./spec.ts";

export const sandboxLeftovers: Leftovers = {
  async remove(installation, paths, { all, repositories }) {
    if (!existsSync(paths.sandboxes)) return [];
    await stopSessions(installation);
    for (const name of providersOf(paths)) {
      const provider = await openProvider(name, { installation, sandboxes: paths.sandboxes });
      for (const { id } of await provider.list({ installation })) await (await provider.open(id))?.terminate();
    }
    const names = repositories.flatMap((path) => repositoryName(path) ?? []);
    const gone = new Set(names.map(memoryVolume));
    // All their sandboxes are terminated, so nothing changes these files meanwhile.
    const { volumes } = localPaths(paths.sandboxes);
    for (const name of all ? namesIn(volumes) : namesIn(volumes).filter((each) => gone.has(each)))
      rmSync(join(volumes, name), { recursive: true, force: true, maxRetries: 3 });
    removeAllButVolumes(paths);
    return namesIn(volumes).map((name) => join(volumes, name));
  },
};

/** The providers that may have sandboxes of the installation. */
function providersOf(paths: InstallationPaths): Set<SandboxProviderName> {
  const declared = installedSandboxes(paths).flatMap((name): SandboxProviderName[] => {
    try {
      return [readSandbox(paths, name)?.spec.provider ?? "local"];
    } catch {
      // Its file was edited by hand. `doctor` finds its sandboxes at other providers.
      return [];
    }
  });
  const hasLocal = namesIn(localPaths(paths.sandboxes).sandboxes).length > 0;
  return new Set([...declared, ...(hasLocal ? (["local"] as const) : [])]);
}

/** Removes the kind's files on this machine once it has no sandboxes, including volumes that were never written to. */
export function removeAllButVolumes({ sandboxes }: Pick<InstallationPaths, "sandboxes">): void {
  const { volumes } = localPaths(sandboxes);
  for (const name of namesIn(volumes)) if (namesIn(join(volumes, name)).length === 0) rmdirSync(join(volumes, name));
  if (namesIn(volumes).length === 0) rmSync(volumes, { recursive: true, force: true });
  for (const name of namesIn(sandboxes)) {
    const path = join(sandboxes, name);
    if (path !== volumes) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
  if (namesIn(sandboxes).length === 0) rmSync(sandboxes, { recursive: true, force: true });
}
