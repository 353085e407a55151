import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "../host/files.ts";
import { messageOf } from "../lib/as-error.ts";
import { printNote } from "../lib/terminal.ts";
import type { Leftovers } from "../stack/deployment.ts";
import { installedSeedAgents, readSeedAgent } from "./installed.ts";
import { localProvider } from "./local/provider.ts";
import { openProvider } from "./providers.ts";
import type { SeedAgentSpec } from "./spec.ts";

export const seedAgentLeftovers: Leftovers = {
  async remove(installation, paths, { all }) {
    const { seedAgents: folder } = paths;
    if (!existsSync(folder)) return [];
    const kept: string[] = [];
    const specs = installedSeedAgents(paths).map(
      (name) => [name, specOf(() => readSeedAgent(paths, name)?.spec)] as const,
    );
    const isLocal = (spec: SeedAgentSpec | undefined) => spec === undefined || spec.provider === "local";
    // A killed `up` can leave nodes without a record.
    const local = new Set([
      ...[...namesIn(join(folder, "nodes")), ...namesIn(join(folder, "data"))],
      ...specs.flatMap(([name, spec]) => (isLocal(spec) ? [name] : [])),
    ]);
    // First, because a platform that can't be reached must not leave processes running here.
    for (const name of local)
      kept.push(...(await localProvider.remove(name, { installation, folder, destroyData: all })));
    for (const [name, spec] of specs) {
      if (spec === undefined || isLocal(spec)) continue;
      const provider = await openProvider(spec.provider);
      kept.push(...(await provider.remove(name, { installation, folder, spec, destroyData: all })));
    }
    for (const name of ["specs", "nodes"]) rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
    if (namesIn(join(folder, "data")).length === 0) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    return kept;
  },
};

/** @returns undefined if the record was edited by hand; then only nodes on this machine are removed */
function specOf<Spec>(read: () => Spec): Spec | undefined {
  try {
    return read();
  } catch (error) {
    printNote(`warning: ${messageOf(error)}\n`);
    return undefined;
  }
}
